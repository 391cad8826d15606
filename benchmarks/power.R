# The way of simr for the study1 design: draw a study, score it, fit Model 3, test with Satterthwaite; again and again.
# Growth models by lmer, scores as the default operationalisation has them, p values by summary() of lmerTest. The truth is
# that of `dyadline power design study1 --effect .3`: the slope of the outcome goes with true convergence, beta = .3.
suppressMessages({library(lme4); library(lmerTest)})
studies <- as.integer(commandArgs(TRUE)[1])
J <- 96; K <- 14; t <- 0:(K - 1); beta <- .3
set.seed(1)
sd <- c(1.15, .075, .75, .055)
r <- diag(4); r[1, 2] <- r[2, 1] <- -.25; r[3, 4] <- r[4, 3] <- -.2
r[cbind(c(1, 2, 3, 4), c(3, 4, 1, 2))] <- .45
root <- chol(r * outer(sd, sd))
lines <- function(n) matrix(rnorm(4 * n), n) %*% root + rep(c(4.9, .065, 5.1, .035), each = n)
true_convergence <- function(b) {
  gap <- abs(outer(b[, 1] - b[, 3], rep(1, K)) + outer(b[, 2] - b[, 4], t))
  -as.vector(gap %*% (t - mean(t))) / sum((t - mean(t))^2) * (K - 1)
}
all <- true_convergence(lines(200000)); centre <- mean(all); spread <- stats::sd(all)
random <- chol(matrix(c(49.10, -1.94, -1.94, 1.22), 2))
control <- lmerControl(calc.derivs = FALSE, check.conv.singular = "ignore")
rated <- function(line, noise) round(pmin(pmax(line + rnorm(length(line), 0, noise), 1), 7), 2)
one <- function() {
  b <- lines(J)
  d <- expand.grid(t = t, dyad = 1:J)
  j <- d$dyad
  d$p <- rated(b[j, 1] + b[j, 2] * d$t, .45)
  d$q <- rated(b[j, 3] + b[j, 4] * d$t, .42)
  d$p[runif(nrow(d)) < .01 & d$t > 0] <- NA
  d$q[runif(nrow(d)) < .01 & d$t > 0] <- NA
  init <- round(pmin(pmax(rnorm(J, 35.8, 9.5), 14), 58))
  u <- matrix(rnorm(2 * J), J) %*% random
  slope <- -.94 + beta * sqrt(1.22) * (true_convergence(b) - centre) / spread + sqrt(1 - beta^2) * u[, 2]
  d$y <- round(32.43 + .77 * (init - 35.8)[j] + u[j, 1] + slope[j] * d$t + rnorm(nrow(d), 0, sqrt(18)), 2)
  gone <- matrix(runif(J * K) < .018, J); gone[, 1:3] <- FALSE
  out <- t(apply(gone, 1, cumsum)) > 0
  skipped <- matrix(runif(J * K) < .14, J); skipped[, 1:3] <- FALSE
  d <- d[!t(out | skipped)[cbind(d$t + 1, d$dyad)], ]
  j <- d$dyad
  cp <- coef(lmer(p ~ t + (t | dyad), d, control = control))$dyad
  cq <- coef(lmer(q ~ t + (t | dyad), d, control = control))$dyad
  either <- !is.na(d$p) | !is.na(d$q)
  gap <- abs(cp[j, 1] + cp[j, 2] * d$t - cq[j, 1] - cq[j, 2] * d$t)
  rows <- split(which(either), j[either])
  s <- -sapply(rows, function(i) cov(d$t[i], gap[i]) / var(d$t[i])) * (K - 1)
  conv <- log(s - min(s) + 1)
  centred <- function(x) (x - mean(x))[j]
  raw <- d$p - d$q
  first <- tapply(seq_along(j), j, function(i) raw[i[!is.na(raw[i])][1]])
  d$conv <- centred(conv); d$ep <- centred(cp[, 1]); d$et <- centred(cq[, 1]); d$init <- centred(init)
  d$dev <- centred((cp[, 2] + cq[, 2]) / 2 * (K - 1)); d$disc <- centred(first)
  m <- lmerTest::lmer(y ~ t * (init + ep + et + disc + dev * conv) + (t | dyad), d, control = control)
  table <- summary(m)$coefficients["t:conv", ]
  c(p = table[["Pr(>|t|)"]], estimate = table[["Estimate"]])
}
invisible(one())
began <- proc.time()[["elapsed"]]
found <- replicate(studies, one())
cat(sprintf('{"seconds": %.6f, "power": %.6f, "estimate": %.6f, "sd": %.6f}\n', proc.time()[["elapsed"]] - began,
            mean(found["p", ] < .05), mean(found["estimate", ]), stats::sd(found["estimate", ])))
