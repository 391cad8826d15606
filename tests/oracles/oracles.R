# Reference answers by lme4, lmerTest and nlme, written with 17 digits.
#
#   Rscript tests/oracles/oracles.R        (from anywhere; writes data/*.csv, oracles.json and study.json beside itself)
#
# Needs r-cran-lme4, r-cran-lmertest, r-cran-nlme. The project's tests read the JSON and need no R.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(nlme)})
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
for (part in c("data_sets.R", "json.R", "optimum.R", "study.R")) source(file.path(here, part))

# -- what is fitted to what; thetas: relative covariance factors in lme4's order ------------------------------------
one <- list(0.5, 1.7)
two <- list(c(1, 0, 1), c(0.9, -0.15, 0.2), c(2.5, 0.3, 0))
three <- list(c(1, 0, 0, 1, 0, 1), c(1.8, -0.2, 0.05, 0.6, -0.1, 0.1))
diagonal <- list(c(1, 1), c(1.4, 0.3))
model3 <- "y ~ t * (init + pat + the + dev * conv) + (t | g)"
cases <- list(
  list("balanced", "y ~ t + (1 | g)", one),
  list("balanced", "y ~ 1 + (1 | g)", one),
  list("model3", model3, two),
  list("model3", "y ~ t + (t | g)", two),
  list("model3", "y ~ t * (init + conv) + (t || g)", diagonal),
  list("uncorrelated", "y ~ t * x + (t || g)", diagonal),
  list("uncorrelated", "y ~ t * x + (0 + t | g)", one),
  list("quadratic", "y ~ t + t2 + (t + t2 | g)", three),
  list("arms", "y ~ t * arm + (t | g)", two),
  list("zero_slope", "y ~ t + (t || g)", diagonal),
  list("zero_slope", "y ~ t + (t | g)", two),
  list("perfect_correlation", "y ~ t + (t | g)", two),
  list("no_variance", "y ~ t + (1 | g)", one),
  list("no_variance", "y ~ t + (t | g)", two),
  list("large_icc", "y ~ t + (1 | g)", list(1, 50)),
  list("large_icc", "y ~ t + (t | g)", list(c(30, 0, 1), c(55, -0.5, 0.4))),
  list("extreme_icc", "y ~ t + (1 | g)", list(400)),
  list("extreme_icc", "y ~ t + (t | g)", list(c(300, 0, 1))),
  list("uneven", "y ~ t + (t | g)", two),
  list("tiny", "y ~ t + (t | g)", two),
  list("scales", "y ~ t * x + (t | g)", list(c(1, 0, 1000), c(2, 50, 500)))
)

named <- function(values, names) setNames(as.list(unname(values)), names)

# criterion, beta and penalised weighted residual sum of squares at a given theta
at_theta <- function(devfun, theta, terms) {
  value <- devfun(theta)
  inner <- environment(devfun)
  list(theta = theta, criterion = value, beta = named(inner$pp$beta(1), terms),
       rss = inner$resp$wrss() + inner$pp$sqrL(1))
}

answer <- function(name, formula, thetas, method, data) {
  f <- as.formula(formula)
  reml <- method == "REML"
  fit <- suppressWarnings(suppressMessages(
    lmerTest::lmer(f, data, REML = reml, control = lmerControl(optimizer = "surely", calc.derivs = FALSE))))
  terms <- names(fixef(fit))
  devfun <- suppressWarnings(lme4::lmer(f, data, REML = reml, devFunOnly = TRUE))
  singular <- isSingular(fit, tol = 1e-4)
  table <- suppressWarnings(suppressMessages(coef(summary(fit))))
  components <- as.data.frame(VarCorr(fit))
  out <- list(data = name, formula = formula, method = method, n_rows = nobs(fit),
       n_groups = as.integer(ngrps(fit)[1]), terms = as.list(terms), singular = singular,
       fixed_theta = lapply(thetas, function(th) at_theta(devfun, th, terms)),
       criterion = getME(fit, "devcomp")$cmp[[if (reml) "REML" else "dev"]],
       theta = unname(getME(fit, "theta")), beta = named(fixef(fit), terms),
       std_error = named(table[, "Std. Error"], terms),
       df = if (singular) NULL else named(table[, "df"], terms),
       components = lapply(seq_len(nrow(components)), function(i) list(
         group = sub("\\.[0-9]+$", "", components$grp[i]),
         term1 = components$var1[i], term2 = components$var2[i], value = components$vcov[i])),
       sigma = sigma(fit), log_lik = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit))
  if (name %in% c("arms", "uneven")) {
    modes <- ranef(fit, condVar = FALSE)$g
    out$modes <- lapply(setNames(names(modes), names(modes)), function(k) named(modes[[k]], rownames(modes)))
  }
  if (name == "uneven") {
    other <- nlme::lme(y ~ t, data, ~ t | g, method = method, 
                       control = lmeControl(opt = "optim", optimMethod = "BFGS", tolerance = 1e-12, msTol = 1e-14,
                                            niterEM = 500, msMaxIter = 1000, maxIter = 500))
    out$nlme <- list(log_lik = as.numeric(logLik(other)), aic = AIC(other), bic = BIC(other))
  }
  out
}

sets <- make_sets()
dir.create(file.path(here, "data"), showWarnings = FALSE)
keep <- function(d, name) write.csv(d, file.path(here, "data", paste0(name, ".csv")), row.names = FALSE, quote = FALSE, na = "")
for (name in names(sets)) keep(sets[[name]], name)
answers <- list()
for (case in cases) for (method in c("REML", "ML")) {
  a <- answer(case[[1]], case[[2]], case[[3]], method, sets[[case[[1]]]])
  message(sprintf("%-20s %-50s %-4s %.9f%s", a$data, a$formula, a$method, a$criterion, if (a$singular) " singular" else ""))
  answers[[length(answers) + 1]] <- a
}
versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")),
                 lmerTest = as.character(packageVersion("lmerTest")), nlme = as.character(packageVersion("nlme")))
write_json17(list(versions = versions, fits = answers), file.path(here, "oracles.json"))

study <- make_study()
keep(study, "study")
write_json17(c(list(versions = versions), study_answers(study)), file.path(here, "study.json"))
