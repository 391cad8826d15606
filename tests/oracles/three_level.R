# Sessions in dyads in therapists by lme4 and lmerTest -> data/*.csv, three_level.json
suppressPackageStartupMessages({library(lme4); library(lmerTest)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))

cases <- list(
  c("therapists", "y ~ t + (1 | dyad) + (1 | therapist)"),
  c("therapists", "y ~ t * x + (t | dyad) + (1 | therapist)"),
  c("therapists", "y ~ t * exper + (t | dyad) + (1 | therapist)"),
  c("therapists", "y ~ t * exper + (t || dyad) + (1 | therapist)"),
  c("therapists", "y ~ 1 + (1 | dyad) + (1 | therapist)"),
  c("therapist_slopes", "y ~ t + (t | therapist/dyad)"),
  c("therapist_slopes", "y ~ t * x + exper + (t | therapist:dyad) + (1 | therapist)"),
  c("therapist_slopes", "y ~ t + (1 | therapist/dyad)"),
  c("therapist_slopes", "y ~ t * x + (t | therapist:dyad) + (0 + t | therapist)"),
  c("therapist_slopes", "y ~ t + (t || therapist:dyad) + (t || therapist)"),
  c("therapist_uneven", "y ~ t + (t || dyad) + (1 | therapist)"),
  c("therapist_uneven", "y ~ t * x + (t | dyad) + (1 | therapist)"),
  c("therapist_zero", "y ~ t + (t | dyad) + (1 | therapist)"),
  c("therapist_zero", "y ~ t + (t | therapist/dyad)"),
  c("therapist_balanced", "y ~ t + (1 | dyad) + (1 | therapist)"),
  c("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)"),
  c("therapist_tiny", "y ~ t + (t | dyad) + (1 | therapist)"),
  c("therapist_single", "y ~ t + (1 | dyad) + (1 | therapist)"),
  c("therapist_single", "y ~ t + (t | dyad) + (1 | therapist)"),
  c("therapist_shifted", "y ~ t + (t | dyad) + (1 | therapist)"))

three_level <- function(name, formula, method, data) {
  fit <- surely_fit(formula, data, method)
  terms <- names(fixef(fit))
  devfun <- quiet(lme4::lmer(as.formula(formula), data, REML = method == "REML", devFunOnly = TRUE))
  singular <- isSingular(fit, tol = 1e-4)
  table <- quiet(coef(summary(fit)))
  diagonal <- getME(fit, "lower") == 0
  k <- cumsum(diagonal)
  thetas <- list(ifelse(diagonal, 1, 0), ifelse(diagonal, 0.5 + 0.3 * k, -0.15 * k))
  list(data = name, formula = formula, method = method, n_rows = nobs(fit),
       n_groups = as.list(ngrps(fit)[!duplicated(names(ngrps(fit)))]), terms = as.list(terms),
       random = random_blocks(fit), singular = singular,
       fixed_theta = lapply(thetas, function(th) at_theta(devfun, th, terms)),
       criterion = getME(fit, "devcomp")$cmp[[if (method == "REML") "REML" else "dev"]],
       theta = as.list(unname(getME(fit, "theta"))), beta = named(fixef(fit), terms),
       std_error = named(table[, "Std. Error"], terms), df = if (singular) NULL else named(table[, "df"], terms),
       components = variances_of(fit), sigma = sigma(fit), log_lik = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit))
}

sets <- make_nested_sets()
for (name in names(sets)) keep(sets[[name]], name)
answers <- list()
for (case in cases) for (method in c("REML", "ML")) {
  a <- three_level(case[1], case[2], method, stored(case[1]))
  message(sprintf("%-18s %-58s %-4s %.9f%s", a$data, a$formula, a$method, a$criterion, if (a$singular) " singular" else ""))
  answers[[length(answers) + 1]] <- a
}
write_json17(list(versions = versions_of("lme4", "lmerTest"), fits = answers), file.path(here, "three_level.json"))
