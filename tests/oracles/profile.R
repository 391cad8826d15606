# Profile-likelihood 95 % intervals by lme4, ML -> profile.json
#
# sd scale, as lme4 gives it: SDs, correlations, residual SD, fixed effects. A bound of 0 or 1 is the parameter's own limit,
# which the profile reached before it rose enough. Fine steps, because lme4 interpolates the bounds between them;
# `deviance_missed`: by how much the deviance at the fixed effects' bounds, refitted, misses the chi-square quantile.
suppressPackageStartupMessages({library(lme4); library(lmerTest)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))

cases <- list(c("balanced", "y ~ t + (1 | g)"), c("uneven", "y ~ t + (t | g)"), c("arms", "y ~ t + (t | g)"),
              c("therapists", "y ~ t * x + (1 | dyad) + (1 | therapist)"),
              c("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)"))
deviance_of <- function(fit) getME(fit, "devcomp")$cmp[["dev"]]
profiled <- function(case) {
  data <- stored(case[1])
  # lme4 refits with the fit's own optimiser, so a plain one: `surely` starts where profiles must not
  fit <- lme4::lmer(as.formula(case[2]), data, REML = FALSE, control = lmerControl("bobyqa", optCtrl = list(rhoend = 1e-9)))
  bounds <- quiet(confint(profile(fit, signames = FALSE, delta.cutoff = 1 / 16), level = 0.95))
  v <- as.data.frame(VarCorr(fit), order = "lower.tri")
  estimate <- c(v$sdcor, fixef(fit))
  # the last digits: the deviance that a fixed effect's bounds leave, against the chi-square quantile that defines them
  left <- function(term, value) {
    d <- data
    X <- getME(fit, "X")
    d$y <- d$y - value * X[, term]
    d[paste0("x", seq_len(ncol(X)))] <- as.data.frame(X)
    rest <- paste0("x", which(colnames(X) != term), collapse = " + ")
    bars <- paste0("(", sapply(lme4::findbars(formula(fit)), deparse), ")", collapse = " + ")
    deviance_of(surely_fit(paste("y ~ 0 +", rest, "+", bars), d, "ML")) - deviance_of(fit) - qchisq(0.95, 1)
  }
  misses <- sapply(names(fixef(fit)), function(k) max(abs(c(left(k, bounds[k, 1]), left(k, bounds[k, 2])))))
  message(sprintf("%-12s bounds of fixed effects miss the deviance by at most %.1e", case[1], max(misses)))
  parts <- lapply(seq_len(nrow(v)), function(i)
    list(group = sub("\\.[0-9]+$", "", v$grp[i]), term1 = v$var1[i], term2 = v$var2[i], estimate = v$sdcor[i],
         lower = bounds[i, 1], upper = bounds[i, 2]))
  fixed <- lapply(names(fixef(fit)), function(k) list(term = k, estimate = fixef(fit)[[k]], lower = bounds[k, 1], upper = bounds[k, 2]))
  stopifnot(nrow(bounds) == length(parts) + length(fixed))
  list(data = case[1], formula = case[2], method = "ML", level = 0.95, names = as.list(rownames(bounds)),
       criterion = deviance_of(fit), deviance_missed = max(misses), components = parts, fixed = fixed)
}
write_json17(list(versions = versions_of("lme4"), fits = lapply(cases, profiled)), file.path(here, "profile.json"))
