# The way of simr for the study1 design: draw a study, score it, fit Model 3, test with Satterthwaite; again.
# Growth models by lmer, scores as the default operationalisation has them, p values by summary() of lmerTest.
suppressMessages({library(lme4); library(lmerTest)})
studies <- as.integer(commandArgs(TRUE)[1])
J <- 96; K <- 14; t <- 0:(K - 1)
set.seed(1)
sd <- c(1.15, .075, .75, .055)
r <- diag(4); r[1, 2] <- r[2, 1] <- -.25; r[3, 4] <- r[4, 3] <- -.2
r[cbind(c(1, 2, 3, 4), c(3, 4, 1, 2))] <- .45
root <- chol(r * outer(sd, sd))
control <- lmerControl(calc.derivs = FALSE, check.conv.singular = "ignore")
one <- function() {
  b <- matrix(rnorm(4 * J), J) %*% root + rep(c(4.9, .065, 5.1, .035), each = J)
  d <- expand.grid(t = t, dyad = 1:J)
  j <- d$dyad
  d$p <- b[j, 1] + b[j, 2] * d$t + rnorm(nrow(d), 0, .45)
  d$q <- b[j, 3] + b[j, 4] * d$t + rnorm(nrow(d), 0, .42)
  init <- rnorm(J, 0, 9.5)
  gone <- matrix(runif(J * K) < .018, J); gone[, 1:3] <- FALSE
  out <- t(apply(gone, 1, cumsum)) > 0
  skipped <- matrix(runif(J * K) < .14, J); skipped[, 1:3] <- FALSE
  d <- d[!t(out | skipped)[cbind(d$t + 1, d$dyad)], ]
  j <- d$dyad
  u0 <- rnorm(J, 0, 7); u1 <- rnorm(J, 0, 1.1)
  d$y <- 32.4 + .77 * init[j] + u0[j] + (-.94 + u1[j]) * d$t + rnorm(nrow(d), 0, 4.24)
  cp <- coef(lmer(p ~ t + (t | dyad), d, control = control))$dyad
  cq <- coef(lmer(q ~ t + (t | dyad), d, control = control))$dyad
  gap <- abs(cp[j, 1] + cp[j, 2] * d$t - cq[j, 1] - cq[j, 2] * d$t)
  s <- -sapply(split(seq_along(j), j), function(i) cov(d$t[i], gap[i]) / var(d$t[i])) * (K - 1)
  conv <- log(s - min(s) + 1)
  centred <- function(x) (x - mean(x))[j]
  first <- !duplicated(j)
  d$conv <- centred(conv); d$ep <- centred(cp[, 1]); d$et <- centred(cq[, 1]); d$init <- centred(init)
  d$dev <- centred((cp[, 2] + cq[, 2]) / 2 * (K - 1)); d$disc <- centred((d$p - d$q)[first])
  m <- lmerTest::lmer(y ~ t * (init + ep + et + disc + dev * conv) + (t | dyad), d, control = control)
  summary(m)$coefficients["t:conv", "Pr(>|t|)"]
}
invisible(one())
began <- proc.time()[["elapsed"]]
for (k in seq_len(studies)) one()
cat(sprintf('{"seconds": %.6f}\n', proc.time()[["elapsed"]] - began))
