# Kenward-Roger where it is easily lost: on the boundary, with three random effects, at an ICC of .998, in large units,
# and F tests whose rows repeat each other -> kenward_roger_edges.json. Fields as in kenward_roger.R.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(pbkrtest)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))

cases <- list(
  list("zero_slope", "y ~ t + (t || g)"),
  list("zero_slope", "y ~ t + (t | g)"),
  list("perfect_correlation", "y ~ t + (t | g)"),
  list("no_variance", "y ~ t + (1 | g)"),
  list("no_variance", "y ~ t + (t | g)"),
  list("quadratic", "y ~ t + t2 + (t + t2 | g)", tests = list(diag(3)[2:3, ])),
  list("large_icc", "y ~ t + (t | g)", tests = list(diag(2))),
  list("arms", "y ~ t * arm + (t | g)", tests = list(rbind(c(0, 0, 1, 0, 0, 0), c(0, 0, 0, 1, 0, 0), c(0, 0, 1, -1, 0, 0)))),
  list("scales", "y ~ t * x + (t | g)", tests = list(diag(4)[3:4, ]), units = c(y = 1e5, t = 1e-3, x = 5e4)))

# `fit` in the units of the data for Satterthwaite, whose F depends on them; `other` for Kenward-Roger
tested <- function(fit, other, L) {
  s <- quiet(lmerTest::contestMD(fit, L))
  full <- qr(L)$rank == nrow(L)
  k <- if (full) KRmodcomp(other, L)$stats
  list(weights = rows_of(L), satterthwaite = list(f = s[["F value"]], num_df = s[["NumDF"]], den_df = s[["DenDF"]]),
       kenward_roger = if (full) list(f = k$Fstat, num_df = k$ndf, den_df = k$ddf, scaling = k$F.scaling))
}

answers <- lapply(cases, function(case) {
  data <- stored(case[[1]])
  fit <- surely_fit(case[[2]], data)
  terms <- names(fixef(fit)); p <- length(terms)
  # pbkrtest drops information that is small in absolute units (its `condi` below 1e-10): it is asked in units near
  # one, and its answer brought back
  other <- fit; back <- rep(1, p)
  if (!is.null(case$units)) {
    for (column in names(case$units)) data[[column]] <- data[[column]] / case$units[[column]]
    other <- surely_fit(case[[2]], data)
    back <- sapply(strsplit(terms, ":"), function(parts)
      case$units[["y"]] / prod(case$units[setdiff(parts, "(Intercept)")]))
  }
  adjusted <- vcovAdj(other)
  stopifnot(attr(adjusted, "condi") > 1e-10)
  list(data = case[[1]], formula = case[[2]], method = "REML", singular = isSingular(fit, tol = 1e-4),
       terms = as.list(terms),
       kenward_roger = list(std_error = named(back * sqrt(diag(as.matrix(adjusted))), terms),
                            df = named(sapply(1:p, function(i) get_Lb_ddf(other, diag(p)[i, ])), terms)),
       f_tests = lapply(case$tests, tested, fit = fit, other = other))
})
write_json17(list(versions = versions_of("lme4", "lmerTest", "pbkrtest"), fits = answers),
             file.path(here, "kenward_roger_edges.json"))
