# Time lme4 and lmerTest on the rows of FOLDER/model3.csv and FOLDER/large.csv, inside one R process; JSON on stdout.
#
#   Rscript bench.R FOLDER
suppressPackageStartupMessages({library(lme4); library(lmerTest)})
folder <- commandArgs(TRUE)[1]
formula <- y ~ t * (init + pat + the + dev * conv) + (t | g)
quiet <- function(code) suppressWarnings(suppressMessages(code))
medians <- function(f, times) {
  f()
  median(sapply(seq_len(times), function(i) { start <- proc.time()[["elapsed"]]; f(); proc.time()[["elapsed"]] - start }))
}
d <- read.csv(file.path(folder, "model3.csv"))
large <- read.csv(file.path(folder, "large.csv"))
# proc.time() counts in milliseconds: ten fits are timed together
ten <- function(f) function() for (i in 1:10) f()
fit <- medians(ten(function() quiet(lme4::lmer(formula, d))), 5) / 10
table <- medians(ten(function() quiet(coef(summary(lmerTest::lmer(formula, d))))), 5) / 10
big <- medians(function() quiet(lme4::lmer(formula, large)), 2)
cat(sprintf('{"lmer": %.6f, "lmer_satterthwaite": %.6f, "lmer_large": %.6f, "criterion": %.9f}\n',
            fit, table, big, getME(lme4::lmer(formula, d), "devcomp")$cmp[["REML"]]))
