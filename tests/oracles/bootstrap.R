# Parametric bootstrap by lme4::bootMer: mean and standard deviation of fixed effects and (co)variances.
# Rscript tests/oracles/bootstrap.R writes bootstrap.json (a minute).
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))
suppressMessages(library(lme4))

one <- function(data, formula, nsim) {
  fit <- lmer(as.formula(formula), stored(data))
  values <- function(m) c(fixef(m), as.data.frame(VarCorr(m), order = "lower.tri")$vcov)
  found <- quiet(bootMer(fit, values, nsim = nsim, seed = 20240))
  table <- as.data.frame(VarCorr(fit), order = "lower.tri")
  list(
    data = data, formula = formula, nsim = nsim,
    terms = names(fixef(fit)), group = table$grp, term1 = table$var1, term2 = table$var2,
    estimate = unname(found$t0), mean = unname(colMeans(found$t)), std_error = unname(apply(found$t, 2, sd))
  )
}

fits <- list(
  one("uneven", "y ~ t + (t | g)", 2000),
  one("therapists", "y ~ t * x + (1 | dyad) + (1 | therapist)", 1000)
)
write_json17(list(versions = versions_of("lme4"), fits = fits), file.path(here, "bootstrap.json"))
