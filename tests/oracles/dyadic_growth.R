# The joint growth model of both raters (Raudenbush, Brennan & Barnett 1995) by nlme, on simulated ratings: four
# correlated random effects per dyad, residual variance by rater, residual correlation within an occasion. The curves
# are coef(); from them the slope of the absolute and of the signed discrepancy, by lm.
# Run in this folder: Rscript dyadic_growth.R
library(nlme)
source("json.R")

set.seed(1995)
J <- 60; times <- 0:5
sd <- c(0.9, 0.15, 0.7, 0.12)
R <- matrix(c(1, -.2, .5, 0,  -.2, 1, 0, .4,  .5, 0, 1, -.1,  0, .4, -.1, 1), 4)
root <- chol(diag(sd) %*% R %*% diag(sd))
d <- expand.grid(session = times, dyad = sprintf("d%02d", 1:J))
b <- matrix(rnorm(4 * J), J) %*% root
j <- as.integer(factor(d$dyad)); n <- nrow(d)
e1 <- rnorm(n); e2 <- 0.35 * e1 + sqrt(1 - 0.35^2) * rnorm(n)
d$patient <- round(4.8 + b[j, 1] + (0.08 + b[j, 2]) * d$session + 0.45 * e1, 3)
d$therapist <- round(5.1 + b[j, 3] + (0.03 + b[j, 4]) * d$session + 0.60 * e2, 3)
# Ratings are missing at random; d03 was never rated by the therapist, d01 never by the patient.
d$patient[runif(n) < 0.12] <- NA; d$therapist[runif(n) < 0.12] <- NA
d$therapist[d$dyad == "d03"] <- NA; d$patient[d$dyad == "d01"] <- NA
d <- d[!is.na(d$patient) | !is.na(d$therapist), c("dyad", "session", "patient", "therapist")]
write.csv(d, "data/dyadic_growth.csv", row.names = FALSE, na = "", quote = FALSE)

long <- rbind(data.frame(dyad = d$dyad, t = d$session, rater = "P", y = d$patient),
              data.frame(dyad = d$dyad, t = d$session, rater = "T", y = d$therapist))
long <- long[!is.na(long$y), ]
long$p <- as.numeric(long$rater == "P"); long$q <- 1 - long$p
long$pt <- long$p * long$t; long$qt <- long$q * long$t
long$occasion <- interaction(long$dyad, long$t, drop = TRUE)
long$number <- ifelse(long$rater == "P", 1L, 2L)
long <- long[order(long$dyad, long$t, long$number), ]
tight <- lmeControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-10, msTol = 1e-12, niterEM = 50, returnObject = FALSE)
fit <- lme(y ~ 0 + p + pt + q + qt, random = ~ 0 + p + pt + q + qt | dyad, data = long, method = "REML",
           weights = varIdent(form = ~ 1 | rater), correlation = corSymm(form = ~ number | dyad/occasion), control = tight)
lines <- as.matrix(coef(fit)[, c("p", "pt", "q", "qt")])
G <- as.matrix(getVarCov(fit))[c("p", "pt", "q", "qt"), c("p", "pt", "q", "qt")]
ratio <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)[c("P", "T")]
rho <- as.numeric(coef(fit$modelStruct$corStruct, unconstrained = FALSE))

dyads <- unique(as.character(d$dyad))
slope <- function(g, absolute) {
  t <- d$session[d$dyad == g]
  D <- lines[g, "p"] + lines[g, "pt"] * t - lines[g, "q"] - lines[g, "qt"] * t
  if (absolute) D <- abs(D)
  unname(coef(lm(D ~ t))[2])
}
answer <- list(
  dyads = dyads,
  minus_two_log_likelihood = -2 * as.numeric(logLik(fit)),
  fixed = as.numeric(fixef(fit)), covariance = as.numeric(G),
  residual_sd = as.numeric(fit$sigma * ratio), residual_correlation = rho,
  lines = as.numeric(t(lines[dyads, ])),
  minus_slope_absolute = -sapply(dyads, slope, absolute = TRUE, USE.NAMES = FALSE),
  minus_slope_signed = -sapply(dyads, slope, absolute = FALSE, USE.NAMES = FALSE))
write_json17(answer, "dyadic_growth.json")
