# Fit every data set of rows.csv with lme4 as models.csv says; write the lowest criterion found per set.
#
#   Rscript certify.R FOLDER
#
# Two runs per set: lme4's default optimiser and BOBYQA with a tight end, the second started from the first.
suppressPackageStartupMessages(library(lme4))
folder <- commandArgs(TRUE)[1]
rows <- read.csv(file.path(folder, "rows.csv"))
models <- read.csv(file.path(folder, "models.csv"), stringsAsFactors = FALSE)
parts <- split(rows, rows$number)
quiet <- function(code) suppressWarnings(suppressMessages(code))
checks <- list(check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore", calc.derivs = FALSE)
plain <- do.call(lmerControl, checks)
tight <- do.call(lmerControl, c(list(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-8, maxfun = 10000)), checks))
criterion <- function(fit) getME(fit, "devcomp")$cmp[[if (isREML(fit)) "REML" else "dev"]]
out <- lapply(seq_len(nrow(models)), function(i) {
  d <- parts[[as.character(models$number[i])]]
  f <- as.formula(models$formula[i])
  reml <- models$method[i] == "REML"
  tryCatch({
    first <- quiet(lmer(f, d, REML = reml, control = plain))
    second <- quiet(lmer(f, d, REML = reml, control = tight, start = getME(first, "theta")))
    best <- if (criterion(second) < criterion(first)) second else first
    data.frame(number = models$number[i], default = criterion(first), best = criterion(best), singular = isSingular(best))
  }, error = function(e) data.frame(number = models$number[i], default = NA, best = NA, singular = NA))
})
out <- do.call(rbind, out)
out$default <- sprintf("%.17g", out$default)
out$best <- sprintf("%.17g", out$best)
out$singular <- ifelse(out$singular %in% TRUE, 1, 0)
write.csv(out, file.path(folder, "lme4.csv"), row.names = FALSE, quote = FALSE)
