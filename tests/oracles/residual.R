# Residual structures by nlme's lme and gls -> data/*.csv, residual.json
#
# Every residual parameter is written in one way, whatever nlme's: `variance` by name of the level (sigma^2 times the
# squared ratio; one entry named "all" without varIdent), `phi` (AR(1) and continuous-time AR(1): phi^|difference|),
# `rho` (compound symmetry, or the two raters of one session). `by` are the columns that tell the correlated sets of
# rows apart, `along` the column that their distance is taken in. A compound symmetry within the dyad and a random
# intercept of the dyad are one parameter twice: it is fitted beside a random slope only, or by gls. std_error is from
# (X'V^-1 X)^-1 at the estimates, without nlme's factor sqrt(N/(N-p)) under ML. REML log-likelihoods are without log|X'X|, as lme4 has them.
suppressPackageStartupMessages(library(nlme))
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))
source(file.path(here, "residual_sets.R"))

growth2 <- y ~ 0 + pat + the + pat_t + the_t
case <- function(data, fixed, random, formula, structure, correlation = NULL, weights = NULL, by = NULL, along = NULL,
                 level = NULL)
  list(data = data, fixed = fixed, random = random, formula = formula, structure = structure, correlation = correlation,
       weights = weights, by = by, along = along, level = level)
four <- "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the + pat_t + the_t | dyad)"
cases <- list(
  case("serial", y ~ t, list(dyad = pdSymm(~t)), "y ~ t + (t | dyad)", "variance", weights = ~1 | phase, level = "phase"),
  case("serial", y ~ t, list(dyad = pdSymm(~t)), "y ~ t + (t | dyad)", "ar1", quote(corAR1(value, ~occasion | dyad)), by = "dyad", along = "occasion"),
  case("serial", y ~ t, list(dyad = pdSymm(~1)), "y ~ t + (1 | dyad)", "ar1", quote(corAR1(value, ~occasion | dyad)), by = "dyad", along = "occasion"),
  case("serial", y ~ t, NULL, "y ~ t", "ar1", quote(corAR1(value, ~occasion | dyad)), by = "dyad", along = "occasion"),
  case("serial", y ~ t, list(dyad = pdSymm(~t)), "y ~ t + (t | dyad)", "variance_ar1", quote(corAR1(value, ~occasion | dyad)),
       weights = ~1 | phase, by = "dyad", along = "occasion", level = "phase"),
  case("serial_uneven", y ~ time, list(dyad = pdSymm(~time)), "y ~ time + (time | dyad)", "car1", quote(corCAR1(value, ~time | dyad)), by = "dyad", along = "time"),
  case("serial_uneven", y ~ time, list(dyad = pdSymm(~1)), "y ~ time + (1 | dyad)", "car1", quote(corCAR1(value, ~time | dyad)), by = "dyad", along = "time"),
  case("serial_uneven", y ~ time, NULL, "y ~ time", "car1", quote(corCAR1(value, ~time | dyad)), by = "dyad", along = "time"),
  case("serial_nested", y ~ t, list(therapist = pdSymm(~1), dyad = pdSymm(~t)), "y ~ t + (t | dyad) + (1 | therapist)", "ar1",
       quote(corAR1(value, ~occasion | therapist/dyad)), by = "dyad", along = "occasion"),
  case("serial_nested", y ~ t, list(therapist = pdSymm(~1), dyad = pdSymm(~1)), "y ~ t + (1 | dyad) + (1 | therapist)", "ar1",
       quote(corAR1(value, ~occasion | therapist/dyad)), by = "dyad", along = "occasion"),
  case("symmetric", y ~ t, list(dyad = pdSymm(~0 + t)), "y ~ t + (0 + t | dyad)", "symmetry", quote(corCompSymm(value, ~1 | dyad)), by = "dyad"),
  case("symmetric", y ~ t, NULL, "y ~ t", "symmetry", quote(corCompSymm(value, ~1 | dyad)), by = "dyad"),
  case("opposed", y ~ t, NULL, "y ~ t", "symmetry", quote(corCompSymm(value, ~1 | dyad)), by = "dyad"),
  case("raters", growth2, list(dyad = pdSymm(~0 + pat + the + pat_t + the_t)), four, "variance", weights = ~1 | rater, level = "rater"),
  case("raters", growth2, list(dyad = pdSymm(~0 + pat + the + pat_t + the_t)), four, "pairs", quote(corCompSymm(value, ~1 | dyad/session)),
       weights = ~1 | rater, by = c("dyad", "session"), level = "rater"),
  case("raters", growth2, list(dyad = pdSymm(~0 + pat + the)), "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the | dyad)", "pairs",
       quote(corCompSymm(value, ~1 | dyad/session)), weights = ~1 | rater, by = c("dyad", "session"), level = "rater"),
  case("raters", growth2, list(dyad = pdSymm(~0 + pat + the)), "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the | dyad)", "variance_ar1",
       quote(corAR1(value, ~session | dyad/rater)), weights = ~1 | rater, by = c("dyad", "rater"), along = "session", level = "rater"),
  case("raters_small", growth2, list(dyad = pdSymm(~0 + pat + the)), "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the | dyad)", "pairs",
       quote(corCompSymm(value, ~1 | dyad/session)), weights = ~1 | rater, by = c("dyad", "session"), level = "rater"))

# nlme's two optimisers in turn, each from where the last one ended and from the other starts; the best log-likelihood
closest <- function(one, data, method) {
  best <- NULL
  attempt <- function(opt, value, weight, random) {
    correlation <- if (is.null(one$correlation)) NULL else eval(one$correlation, list(value = value))
    weights <- if (is.null(one$weights)) NULL else varIdent(weight, one$weights)
    args <- list(model = one$fixed, data = data, correlation = correlation, weights = weights, method = method)
    fit <- if (is.null(random)) {
      control <- glsControl(opt = opt, maxIter = 500, msMaxIter = 1000, tolerance = 1e-13, msTol = 1e-15, returnObject = TRUE)
      tryCatch(suppressWarnings(do.call(gls, c(args, list(control = control)))), error = function(e) NULL)
    } else {
      names(args)[1] <- "fixed"
      control <- lmeControl(opt = opt, maxIter = 500, msMaxIter = 1000, msMaxEval = 5000, niterEM = 100, tolerance = 1e-13,
                            msTol = 1e-15, rel.tol = 1e-15, x.tol = 1e-13, returnObject = TRUE)
      tryCatch(suppressWarnings(do.call(lme, c(args, list(random = random, control = control)))), error = function(e) NULL)
    }
    if (!is.null(fit) && (is.null(best) || logLik(fit) >= logLik(best))) best <<- fit
  }
  for (opt in c("nlminb", "optim")) for (value in c(0.2, 0.5)) attempt(opt, value, numeric(0), one$random)
  for (round in 1:3) for (opt in c("optim", "nlminb")) {
    s <- best$modelStruct
    value <- if (is.null(s$corStruct)) NULL else coef(s$corStruct, unconstrained = FALSE)
    weight <- if (is.null(s$varStruct)) numeric(0) else coef(s$varStruct, unconstrained = FALSE)
    random <- one$random
    for (level in names(random))
      random[[level]] <- pdSymm(as.matrix(s$reStruct[[level]]), form = formula(one$random[[level]]))
    attempt(opt, value, weight, random)
  }
  best
}

residual <- function(one, method) {
  data <- stored(one$data)
  fit <- closest(one, data, method)
  terms <- names(coef(if (is.null(one$random)) fit else list(coefficients = fixef(fit))))
  beta <- if (is.null(one$random)) coef(fit) else fixef(fit)
  s2 <- fit$sigma^2
  ratios <- if (is.null(one$weights)) c(all = 1) else coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
  ratios <- ratios[order(names(ratios))]
  correlation <- if (is.null(one$correlation)) NULL else unname(coef(fit$modelStruct$corStruct, unconstrained = FALSE))
  levels <- rev(names(one$random))  # the finest grouping first, as lme4 has it
  blocks <- lapply(levels, function(g) {
    G <- s2 * as.matrix(fit$modelStruct$reStruct[[g]])
    list(group = g, by = list(g), terms = as.list(colnames(G)), covariance = rows_of(G))
  })
  # on the boundary of the random effects if a direction of their correlation matrix has no variance
  singular <- any(vapply(blocks, function(b) {
    G <- do.call(rbind, lapply(b$covariance, unlist))
    min(eigen(G / (sqrt(diag(G)) %o% sqrt(diag(G))))$values) < 1e-6 || min(diag(G)) < 1e-6 * s2
  }, NA))
  log_lik <- as.numeric(logLik(fit))
  shrink <- if (method == "ML") (nrow(data) - length(beta)) / nrow(data) else 1  # gls, unlike lme, stores the factor
  list(data = one$data, formula = one$formula, structure = one$structure, method = method, n_rows = nrow(data),
       terms = as.list(names(beta)), random = blocks, singular = singular,
       residual = list(variance = named(s2 * ratios^2, names(ratios)), level = one$level,
                       phi = if (grepl("ar1", one$structure)) correlation, rho = if (one$structure %in% c("symmetry", "pairs")) correlation,
                       by = as.list(one$by), along = one$along),
       criterion = -2 * log_lik, log_lik = log_lik, beta = named(beta, names(beta)),
       std_error = named(sqrt(diag(if (is.null(one$random)) shrink * fit$varBeta else fit$varFix)), names(beta)),
       sigma = fit$sigma, source = if (is.null(one$random)) "nlme::gls" else "nlme::lme")
}

sets <- make_residual_sets()
for (name in names(sets)) keep(sets[[name]], name)
answers <- list()
for (one in cases) for (method in c("REML", "ML")) {
  a <- residual(one, method)
  message(sprintf("%-14s %-70s %-12s %-4s %.8f  var %s cor %s", a$data, a$formula, a$structure, a$method, a$criterion,
                  paste(format(unlist(a$residual$variance), digits = 4), collapse = " "),
                  format(c(a$residual$phi, a$residual$rho), digits = 5)))
  answers[[length(answers) + 1]] <- a
}
write_json17(list(versions = versions_of("nlme"), fits = answers), file.path(here, "residual.json"))
