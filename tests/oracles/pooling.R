# Rubin's rules by mice, and a study whose covariate mice imputes -> pooling.json
# The covariate is missing at random given the first two outcomes. mice draws it from a normal regression on all five
# outcomes and the other covariate, which is right for a complete, balanced outcome; the growth model is lme4's.
# Infinite degrees of freedom are null; outcome and covariates of the study are stored in thousandths.
suppressPackageStartupMessages({ library(mice); library(lme4) })
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
source(file.path(here, "json.R"))
set.seed(20261)

scalar <- function(q, u, dfcom) {
  found <- pool.scalar(q, u, n = dfcom + 1, k = 1)
  list(estimates = q, variances = u, df = if (is.finite(dfcom)) dfcom else NA, estimate = found$qbar, std_error = sqrt(found$t),
       freedom = found$df, increase = found$r, fraction = found$fmi)
}
cases <- list()
for (dfcom in c(3.7, 25, 87.31, 1200, Inf)) for (m in c(2, 5, 20)) for (between in c(0.1, 0.5, 2)) {
  # mice takes a share of the variance between imputations below 1e-4 for 1e-4
  repeat if (var(q <- rnorm(m, 4, between)) > 1e-3) break
  cases[[length(cases) + 1]] <- scalar(q, rchisq(m, 30) / 30, dfcom)
}

# Degrees of freedom as mice takes them from a linear model.
imputed <- mice(nhanes, m = 7, seed = 3, printFlag = FALSE)
fits <- with(imputed, lm(chl ~ age + bmi))
pooled <- pool(fits)$pooled
each <- lapply(fits$analyses, function(one) summary(one)$coefficients)
linear <- list(
  estimates = lapply(each, function(one) unname(one[, 1])), variances = lapply(each, function(one) unname(one[, 2]^2)),
  df = df.residual(fits$analyses[[1]]), estimate = pooled$estimate, std_error = sqrt(pooled$t), freedom = pooled$df,
  increase = pooled$riv, fraction = pooled$fmi)

n <- 200; times <- 0:4; m <- 400
conv <- round(rnorm(n), 3); age <- round(0.4 * conv + rnorm(n), 3)
u0 <- rnorm(n, sd = 1); u1 <- rnorm(n, sd = 0.3) - 0.1 * u0
y <- sapply(times, function(t) round(0.8 * age + 0.4 * conv + u0 + (-0.5 + 0.25 * age - 0.2 * conv + u1) * t + rnorm(n), 3))
gone <- runif(n) < pnorm(0.5 * (y[, 1] + y[, 2]) - 0.8)
wide <- data.frame(y, conv, age = ifelse(gone, NA, age))
imputed <- mice(wide, m = m, method = "norm", maxit = 1, seed = 5, printFlag = FALSE)
found <- lapply(seq_len(m), function(i) {
  one <- complete(imputed, i)
  long <- data.frame(dyad = rep(seq_len(n), length(times)), time = rep(times, each = n), outcome = as.vector(as.matrix(one[, 1:5])),
                     conv = one$conv - mean(one$conv), age = one$age - mean(one$age))
  fit <- lmer(outcome ~ time * (conv + age) + (time | dyad), long)
  list(estimate = fixef(fit), variance = diag(as.matrix(vcov(fit))), random = as.data.frame(VarCorr(fit))$vcov)
})
estimates <- sapply(found, `[[`, "estimate"); variances <- sapply(found, `[[`, "variance")
whole <- function(x) as.integer(round(1000 * unname(x)))
study <- list(
  outcome = lapply(seq_len(n), function(i) whole(y[i, ])), conv = whole(conv), age = whole(wide$age), n_missing = sum(gone),
  terms = rownames(estimates), estimate = unname(rowMeans(estimates)),
  std_error = unname(sqrt(rowMeans(variances) + (1 + 1 / m) * apply(estimates, 1, var))),
  between = unname(apply(estimates, 1, sd)), random = unname(rowMeans(sapply(found, `[[`, "random"))), imputations = m)
write_json17(list(R = R.version.string, mice = as.character(packageVersion("mice")), cases = cases, linear = linear,
                  study = study), file.path(here, "pooling.json"))
