# The whole way from two raters' sessions to Models 1-3 in base R and lmer, for the default operationalisation
# (growth multilevel, discrepancy absolute, slope rate, unit window, transform log_shift, early level from the curve,
# early discrepancy signed) and for four others.

ols_line <- function(x, y) {
  ok <- !is.na(x) & !is.na(y)
  if (length(unique(x[ok])) < 2) return(c(NA_real_, NA_real_))
  b <- sum((x[ok] - mean(x[ok])) * (y[ok] - mean(y[ok]))) / sum((x[ok] - mean(x[ok]))^2)
  c(mean(y[ok]) - b * mean(x[ok]), b)
}

surely_lmer <- function(f, d, ...) suppressWarnings(suppressMessages(
  lmerTest::lmer(f, d, control = lmerControl(optimizer = "surely", calc.derivs = FALSE), ...)))

rater_curves <- function(d, column, growth, dyads) {
  d$rating <- d[[column]]
  if (growth == "ols") {
    lines <- t(sapply(dyads, function(g) ols_line(d$t[d$dyad == g], d$rating[d$dyad == g])))
  } else {
    fit <- surely_lmer(rating ~ t + (t | dyad), d[!is.na(d$rating), ])
    modes <- coef(fit)$dyad  # fixed effects + conditional modes
    lines <- as.matrix(modes[match(dyads, rownames(modes)), ])
  }
  dimnames(lines) <- list(dyads, c("intercept", "slope"))
  lines
}

study_scores <- function(d, growth, discrepancy, unit, transform, early_level = "curve", early_discrepancy = "signed") {
  dyads <- unique(d$dyad)
  rated <- d[!is.na(d$wai_p) | !is.na(d$wai_t), ]
  window <- range(rated$t)
  per <- if (unit == "window") diff(window) else 1
  P <- rater_curves(d, "wai_p", growth, dyads); T <- rater_curves(d, "wai_t", growth, dyads)
  out <- data.frame(dyad = dyads, stringsAsFactors = FALSE)
  out$convergence_raw <- sapply(dyads, function(g) {
    t <- rated$t[rated$dyad == g]
    D <- (P[g, 1] + P[g, 2] * t) - (T[g, 1] + T[g, 2] * t)
    D <- switch(discrepancy, absolute = abs(D), signed = D, squared = D^2)
    -ols_line(t, D)[2] * per
  })
  out$early_patient <- P[, 1] + P[, 2] * window[1]
  out$early_therapist <- T[, 1] + T[, 2] * window[1]
  out$development <- (P[, 2] + T[, 2]) / 2 * per
  both <- d[!is.na(d$wai_p) & !is.na(d$wai_t), ]
  first <- both[!duplicated(both$dyad), ]
  raw <- (first$wai_p - first$wai_t)[match(dyads, first$dyad)]
  out$early_discrepancy <- switch(early_discrepancy, signed = raw, absolute = abs(raw), curve = out$early_patient - out$early_therapist)
  if (early_level == "first_rating") {
    at <- function(column) { x <- d[!is.na(d[[column]]), ]; x <- x[!duplicated(x$dyad), ]; x[[column]][match(dyads, x$dyad)] }
    out$early_patient <- at("wai_p"); out$early_therapist <- at("wai_t")
  }
  out$baseline <- d$bdi_pre[match(dyads, d$dyad)]
  x <- out$convergence_raw
  out$convergence <- switch(transform, none = x, log_shift = log(x - min(x, na.rm = TRUE) + 1),
                            signed_log = sign(x) * log(1 + abs(x)), asinh = asinh(x))
  out
}

study_models <- function(d, scores) {
  predictors <- c("baseline", "convergence", "early_patient", "early_therapist", "early_discrepancy", "development")
  complete <- scores[stats::complete.cases(scores[, predictors]), ]
  for (k in predictors) complete[[k]] <- complete[[k]] - mean(complete[[k]])
  rows <- d[!is.na(d$bdi), c("dyad", "t", "bdi")]
  names(rows) <- c("dyad", "time", "outcome")
  joined <- merge(rows, complete, by = "dyad")
  formulas <- list(
    outcome ~ time + (time | dyad),
    outcome ~ time * (baseline + convergence) + (time | dyad),
    outcome ~ time * (baseline + early_patient + early_therapist + early_discrepancy + development * convergence) + (time | dyad))
  lapply(1:3, function(i) {
    fit <- surely_lmer(formulas[[i]], if (i == 1) rows else joined)
    table <- coef(summary(fit))
    v <- as.data.frame(VarCorr(fit))
    list(data = "study", model = i, n_rows = nobs(fit), n_dyads = as.integer(ngrps(fit)[1]),
         criterion = getME(fit, "devcomp")$cmp[["REML"]], singular = isSingular(fit, tol = 1e-4), terms = rownames(table),
         estimate = unname(table[, 1]), std_error = unname(table[, 2]), df = unname(table[, 3]),
         t = unname(table[, 4]), p_value = unname(table[, 5]), components = v$vcov)
  })
}

study_answers <- function(d) {
  d$t <- d$session - min(d$session)
  ways <- list(
    default = list("multilevel", "absolute", "window", "log_shift"),
    signed = list("multilevel", "signed", "window", "none"),
    ols_signed = list("ols", "signed", "per_unit", "none"),
    ols_squared = list("ols", "squared", "window", "asinh", "first_rating", "absolute"),
    ols_absolute = list("ols", "absolute", "window", "signed_log", "first_rating", "signed"))
  scores <- lapply(ways, function(w) do.call(study_scores, c(list(d), w)))
  x <- scores$default$convergence_raw
  list(shift = 1 - min(x, na.rm = TRUE), scores = lapply(scores, as.list), models = study_models(d, scores$default))
}
