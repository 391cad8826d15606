# Smaller questions to a fit: conditional modes with their SDs, leave-one-out refits, comparisons by likelihood ratio,
# explained variance -> modes.json, influence.json, comparison.json, explained.json
suppressPackageStartupMessages({library(lme4); library(lmerTest)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))
record <- function(topic, fits, ...)
  write_json17(list(versions = versions_of("lme4", ...), fits = fits), file.path(here, paste0(topic, ".json")))
criterion_of <- function(fit) getME(fit, "devcomp")$cmp[[if (isREML(fit)) "REML" else "dev"]]

# -- conditional modes: SDs given the estimated variances and fixed effects, as lme4's condVar and SAS's do not add ---
modes <- function(name, formula, method) {
  fit <- surely_fit(formula, stored(name), method)
  effects <- ranef(fit, condVar = TRUE)
  groups <- lapply(names(effects), function(g) {
    block <- effects[[g]]; v <- attr(block, "postVar")
    if (is.list(v)) v <- NULL  # uncorrelated terms come as one array each
    sds <- if (is.null(v)) sapply(attr(block, "postVar"), function(a) sqrt(a[1, 1, ])) else
      matrix(sqrt(apply(v, 3, function(m) diag(as.matrix(m)))), ncol = ncol(block), byrow = TRUE)
    list(group = g, labels = as.list(rownames(block)), terms = as.list(names(block)),
         mode = lapply(setNames(block, names(block)), identity), sd = setNames(lapply(seq_along(block), function(k) sds[, k]), names(block)),
         covariance = if (!is.null(v) && ncol(block) == 2) as.list(v[1, 2, ]))
  })
  list(data = name, formula = formula, method = method, terms = as.list(names(fixef(fit))), random = random_blocks(fit),
       theta = as.list(unname(getME(fit, "theta"))), sigma = sigma(fit), groups = groups)
}
record("modes", list(
  modes("arms", "y ~ t * arm + (t | g)", "REML"), modes("uneven", "y ~ t + (t | g)", "ML"), modes("balanced", "y ~ t + (1 | g)", "REML"),
  modes("uncorrelated", "y ~ t * x + (t || g)", "REML"), modes("therapists", "y ~ t * exper + (t | dyad) + (1 | therapist)", "REML"),
  modes("therapist_slopes", "y ~ t + (t | therapist/dyad)", "REML"), modes("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)", "ML")))

# -- leave one dyad or therapist out, refitted from the rows that stay --------------------------------------------------
influence_of <- function(name, formula, method, by) {
  data <- stored(name)
  one <- function(d) {
    fit <- surely_fit(formula, d, method)
    list(n_rows = nobs(fit), criterion = criterion_of(fit), beta = named(fixef(fit), names(fixef(fit))),
         std_error = named(sqrt(diag(as.matrix(vcov(fit)))), names(fixef(fit))), theta = as.list(unname(getME(fit, "theta"))),
         sigma = sigma(fit), singular = isSingular(fit, tol = 1e-4))
  }
  members <- unique(data[[by]])
  message("influence: ", name, " without each ", by)
  list(data = name, formula = formula, method = method, by = by, whole = one(data),
       without = setNames(lapply(members, function(m) one(data[data[[by]] != m, ])), members))
}
record("influence", list(
  influence_of("tiny", "y ~ t + (t | g)", "REML", "g"), influence_of("uneven", "y ~ t + (t | g)", "REML", "g"),
  influence_of("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)", "REML", "dyad"),
  influence_of("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)", "REML", "therapist"),
  influence_of("therapists", "y ~ t * exper + (t | dyad) + (1 | therapist)", "REML", "therapist")))

# -- comparisons. `chi_bar`: weights of the chi-square mixture by their df (Stram and Lee 1994), null for fixed effects --
compared <- function(name, smaller, larger, method, chi_bar = NULL) {
  fits <- lapply(c(smaller, larger), surely_fit, stored(name), method)
  a <- quiet(anova(fits[[1]], fits[[2]], refit = FALSE))
  statistic <- max(0, criterion_of(fits[[1]]) - criterion_of(fits[[2]]))
  if (statistic < 1e-9) statistic <- 0  # rounding
  # the tail beyond and at the statistic: at zero it is all of it
  tail <- function(df) if (df == 0) as.numeric(statistic <= 0) else pchisq(statistic, df, lower.tail = FALSE)
  stopifnot(abs(a$Chisq[2] - statistic) < 1e-8)
  list(data = name, formula = larger, method = method, smaller = smaller, larger = larger,
       criterion = list(smaller = criterion_of(fits[[1]]), larger = criterion_of(fits[[2]])), statistic = statistic,
       df = a$Df[2], p_value = pchisq(statistic, a$Df[2], lower.tail = FALSE),
       chi_bar = if (!is.null(chi_bar)) named(chi_bar, names(chi_bar)),
       p_mixture = if (!is.null(chi_bar)) sum(chi_bar * sapply(as.numeric(names(chi_bar)), tail)))
}
first <- c("0" = 0.5, "1" = 0.5); second <- c("1" = 0.5, "2" = 0.5)
# fits without any residual structure, to be compared with those of residual.json
independent <- function(name, formula, method) list(data = name, formula = formula, method = method, structure = "independent",
                                                    criterion = criterion_of(surely_fit(formula, stored(name), method)))
four <- "y ~ 0 + pat + the + pat_t + the_t + (0 + pat + the + pat_t + the_t | dyad)"
record("comparison", c(
  list(compared("arms", "y ~ t + (t | g)", "y ~ t * arm + (t | g)", "ML"),
       compared("therapists", "y ~ t + (t | dyad) + (1 | therapist)", "y ~ t * x + exper + (t | dyad) + (1 | therapist)", "ML"),
       compared("near_boundary", "y ~ t + (1 | dyad)", "y ~ t * x + (1 | dyad)", "ML")),
  unlist(lapply(c("ML", "REML"), function(method) list(
    compared("uneven", "y ~ t + (1 | g)", "y ~ t + (t | g)", method, second),
    compared("therapists", "y ~ t + (t | dyad)", "y ~ t + (t | dyad) + (1 | therapist)", method, first),
    compared("therapist_single", "y ~ t + (1 | dyad)", "y ~ t + (1 | dyad) + (1 | therapist)", method, first),
    compared("therapist_zero", "y ~ t + (t | dyad)", "y ~ t + (t | dyad) + (1 | therapist)", method, first),
    compared("near_boundary", "y ~ t * x + (1 | dyad)", "y ~ t * x + (1 | dyad) + (1 | therapist)", method, first),
    compared("therapist_slopes", "y ~ t + (t | therapist:dyad) + (1 | therapist)", "y ~ t + (t | therapist/dyad)", method, second),
    independent("serial", "y ~ t + (t | dyad)", method), independent("serial_uneven", "y ~ time + (time | dyad)", method),
    independent("serial_nested", "y ~ t + (t | dyad) + (1 | therapist)", method), independent("raters", four, method))), recursive = FALSE)))

# -- explained variance: Nakagawa and Schielzeth (2013), slopes as Johnson (2014): mean of diag(Z G Z') (`source`: formula);
#    `performance`: what that package's r2_nakagawa and icc answer --------------------------------------------------------
explained <- function(name, formula) {
  fit <- surely_fit(formula, stored(name))
  X <- getME(fit, "X")
  fixed <- var(drop(X %*% fixef(fit)))
  groups <- VarCorr(fit)
  random <- sapply(names(groups), function(g) {
    Z <- model.matrix(as.formula(paste("~", if (identical(colnames(groups[[g]]), "(Intercept)")) "1" else paste("0 +", paste(sub("(Intercept)", "one", colnames(groups[[g]]), fixed = TRUE), collapse = " + ")))),
                      transform(model.frame(fit), one = 1))
    mean(rowSums((Z %*% groups[[g]][, ]) * Z))
  })
  # from the whole random design, without names: trace of Z Lambda Lambda' Z' sigma^2 over n
  whole <- sigma(fit)^2 * sum((getME(fit, "Lambdat") %*% getME(fit, "Zt"))^2) / nrow(X)
  stopifnot(abs(whole / sum(random) - 1) < 1e-10)
  total <- fixed + sum(random) + sigma(fit)^2
  own <- quiet(performance::r2_nakagawa(fit))
  shares <- quiet(performance::icc(fit))
  list(data = name, formula = formula, method = "REML", variance_fixed = fixed, variance_random = as.list(random),
       variance_residual = sigma(fit)^2, r2_marginal = fixed / total, r2_conditional = (fixed + sum(random)) / total,
       icc_adjusted = sum(random) / (sum(random) + sigma(fit)^2), icc_unadjusted = sum(random) / total,
       icc_by_group = as.list(random / (sum(random) + sigma(fit)^2)), source = "formula",
       performance = list(r2_marginal = unname(own$R2_marginal), r2_conditional = unname(own$R2_conditional),
                          icc_adjusted = unname(shares$ICC_adjusted), icc_unadjusted = unname(shares$ICC_unadjusted)))
}
record("explained", list(
  explained("balanced", "y ~ t + (1 | g)"), explained("balanced", "y ~ 1 + (1 | g)"), explained("uneven", "y ~ t + (t | g)"),
  explained("arms", "y ~ t * arm + (t | g)"), explained("therapists", "y ~ 1 + (1 | dyad) + (1 | therapist)"),
  explained("therapists", "y ~ t * x + (t | dyad) + (1 | therapist)"), explained("therapist_slopes", "y ~ t * x + exper + (t | therapist/dyad)")), "performance", "insight")
