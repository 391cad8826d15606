# Kenward-Roger by pbkrtest, and contrasts and F tests of several coefficients by lmerTest -> kenward_roger.json
#
# All fits are REML. `kenward_roger`: adjusted covariance (rows in the order of `terms`), adjusted SE and df of every
# coefficient. `contrasts`: one row of weights by name, tested by both methods. `f_tests`: rows of weights; Satterthwaite
# (lmerTest::contestMD) and Kenward-Roger (pbkrtest::KRmodcomp: `f` is scaled by `scaling`, `f_unscaled` is not).
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(pbkrtest)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))

all_but_first <- function(p) diag(p)[-1, , drop = FALSE]
cases <- list(
  list("balanced", "y ~ t + (1 | g)"),
  list("arms", "y ~ t * arm + (t | g)", contrasts = list(c(0, 0, 0, 0, 1, -1), c(1, 2, 1, 0, 2, 0)),
       tests = list(diag(6)[5:6, ], diag(6)[3:6, ])),
  list("uneven", "y ~ t + (t | g)", contrasts = list(c(1, 3))),
  list("uncorrelated", "y ~ t * x + (t || g)", contrasts = list(c(0, 1, 0, 1), c(0, 1, 0, -1)), tests = list(diag(4)[3:4, ])),
  list("tiny", "y ~ t + (t | g)", contrasts = list(c(1, 1.5))),
  list("model3", "y ~ t * (init + pat + the + dev * conv) + (t | g)", contrasts = list(rep(c(0, 1, 0), c(2, 1, 11)) - rep(c(0, 1, 0), c(3, 1, 10))),
       tests = list(diag(14)[c(7, 14), ], diag(14)[8:14, ])),
  list("therapists", "y ~ t * x + (t | dyad) + (1 | therapist)", contrasts = list(c(0, 1, 0, 1)), tests = list(diag(4)[3:4, ])),
  list("therapists", "y ~ t * exper + (t | dyad) + (1 | therapist)", contrasts = list(c(0, 1, 0, 10)),
       tests = list(diag(4)[3:4, ], rbind(c(1, 2, 0, 0), c(0, 1, 0, 5)))),
  list("therapist_slopes", "y ~ t + (t | therapist/dyad)"),
  list("therapist_slopes", "y ~ t * x + exper + (t | therapist:dyad) + (1 | therapist)", tests = list(diag(5)[c(3, 5), ])),
  list("therapist_balanced", "y ~ t + (1 | dyad) + (1 | therapist)"),
  list("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)", contrasts = list(c(1, 1.5))),
  list("therapist_single", "y ~ t * exper + (1 | dyad) + (1 | therapist)", tests = list(diag(4)[3:4, ])),
  list("near_boundary", "y ~ t * x + (t || dyad) + (1 | therapist)", contrasts = list(c(0, 1, 0, 1)), tests = list(diag(4)[3:4, ])),
  list("therapist_zero", "y ~ t + (t | dyad) + (1 | therapist)"))

tested <- function(fit, L) {
  s <- quiet(lmerTest::contestMD(fit, L))
  k <- KRmodcomp(fit, L)$stats
  list(weights = rows_of(L),
       satterthwaite = list(f = s[["F value"]], num_df = s[["NumDF"]], den_df = s[["DenDF"]], p_value = s[["Pr(>F)"]]),
       kenward_roger = list(f = k$Fstat, num_df = k$ndf, den_df = k$ddf, scaling = k$F.scaling, f_unscaled = k$FstatU,
                            p_value = k$p.value))
}

contrasted <- function(fit, l, singular) {
  way <- function(ddf) {
    one <- quiet(lmerTest::contest1D(fit, l, ddf = ddf, confint = TRUE))
    list(estimate = one[["Estimate"]], std_error = one[["Std. Error"]], df = one[["df"]], t = one[["t value"]],
         lower = one[["lower"]], upper = one[["upper"]], p_value = one[["Pr(>|t|)"]])
  }
  list(weights = named(l, names(fixef(fit))), satterthwaite = if (!singular) way("Satterthwaite"),
       kenward_roger = way("Kenward-Roger"))
}

kenward_roger <- function(case) {
  data <- stored(case[[1]]); formula <- case[[2]]
  fit <- surely_fit(formula, data)
  terms <- names(fixef(fit)); p <- length(terms)
  singular <- isSingular(fit, tol = 1e-4)
  adjusted <- as.matrix(vcovAdj(fit))
  list(data = case[[1]], formula = formula, method = "REML", n_rows = nobs(fit), terms = as.list(terms),
       random = random_blocks(fit), singular = singular, criterion = getME(fit, "devcomp")$cmp[["REML"]],
       theta = as.list(unname(getME(fit, "theta"))), beta = named(fixef(fit), terms), components = variances_of(fit),
       sigma = sigma(fit), std_error = named(sqrt(diag(as.matrix(vcov(fit)))), terms),
       kenward_roger = list(covariance = rows_of(unname(adjusted)), std_error = named(sqrt(diag(adjusted)), terms),
                            df = named(sapply(1:p, function(i) get_Lb_ddf(fit, diag(p)[i, ])), terms)),
       contrasts = lapply(case$contrasts, contrasted, fit = fit, singular = singular),
       f_tests = if (singular) list() else lapply(c(list(all_but_first(p)), case$tests), tested, fit = fit))
}

answers <- list()
for (case in cases) {
  a <- kenward_roger(case)
  message(sprintf("%-18s %-58s SE %s  df %s", a$data, a$formula, paste(format(unlist(a$kenward_roger$std_error), digits = 4), collapse = " "),
                  paste(format(unlist(a$kenward_roger$df), digits = 5), collapse = " ")))
  answers[[length(answers) + 1]] <- a
}
write_json17(list(versions = versions_of("lme4", "lmerTest", "pbkrtest"), fits = answers), file.path(here, "kenward_roger.json"))
