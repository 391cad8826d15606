# Do therapists matter? Model 1 with two levels, with therapists' intercepts, and with their slopes, by lme4 on simulated
# outcomes; p values of the mixtures of chi-squared distributions (Stram & Lee 1994).
# Run in this folder: Rscript therapist_level.R
library(lme4)
source("json.R")

set.seed(7)
K <- 14; per <- sample(3:7, K, replace = TRUE); J <- sum(per); k <- rep(1:K, per)
d <- expand.grid(time = 0:5, dyad = sprintf("d%02d", 1:J))
j <- as.integer(factor(d$dyad))
d$therapist <- sprintf("th%02d", k[j])
u <- cbind(rnorm(J, 0, 5), rnorm(J, 0, .8)); v <- cbind(rnorm(K, 0, 3.2), rnorm(K, 0, .5))
d$outcome <- round(30 + u[j, 1] + v[k[j], 1] + (-.8 + u[j, 2] + v[k[j], 2]) * d$time + rnorm(nrow(d), 0, 3.5), 3)
d <- d[runif(nrow(d)) > .15, ]
write.csv(d, "data/therapist_level.csv", row.names = FALSE, quote = FALSE)

tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
parts <- c("(time | dyad)", "(time | dyad) + (1 | therapist)", "(time | dyad) + (time | therapist)")
answer <- lapply(c(REML = TRUE, ML = FALSE), function(reml) {
  fits <- lapply(parts, function(p) lmer(as.formula(paste("outcome ~ time +", p)), d, REML = reml, control = tight))
  criteria <- sapply(fits, function(f) if (reml) REMLcrit(f) else -2 * as.numeric(logLik(f)))
  x <- -diff(criteria)
  intercept <- as.data.frame(VarCorr(fits[[2]]))
  own <- intercept$vcov[intercept$grp == "therapist"]
  total <- own + intercept$vcov[intercept$grp == "dyad" & intercept$var1 == "(Intercept)" & is.na(intercept$var2)] + sigma(fits[[2]])^2
  list(criteria = criteria, variance = own, icc = own / total,
       p = c(.5 * pchisq(x[1], 1, lower.tail = FALSE),
             .5 * pchisq(x[2], 1, lower.tail = FALSE) + .5 * pchisq(x[2], 2, lower.tail = FALSE)))
})
write_json17(answer, "therapist_level.json")
