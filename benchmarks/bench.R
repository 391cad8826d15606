# Time lme4, lmerTest and nlme on the rows of FOLDER/<dyads>.csv, inside one R process; JSON on stdout.
#
#   Rscript bench.R FOLDER 96 10000 100000
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(nlme)})
arguments <- commandArgs(TRUE)
folder <- arguments[1]
sizes <- as.integer(arguments[-1])
quiet <- function(code) suppressWarnings(suppressMessages(code))
once <- function(f) { start <- proc.time()[["elapsed"]]; f(); proc.time()[["elapsed"]] - start }
medians <- function(f, times) { if (times > 1) f(); median(sapply(seq_len(times), function(i) once(f))) }
ten <- function(f) function() for (i in 1:10) f() # proc.time() counts in milliseconds
found <- list()
note <- function(program, work, size, seconds) found[[paste(program, work, size)]] <<- seconds
model3 <- y ~ t * (init + pat + the + dev * conv) + (t | g)
three <- y3 ~ t * (init + pat + the + dev * conv) + (t | g) + (1 | h)
for (size in sizes) {
  d <- read.csv(file.path(folder, paste0(size, ".csv")))
  small <- size < 1000
  seconds <- function(f) if (small) medians(ten(f), 5) / 10 else medians(f, 1)
  note("lme4", "fit", size, seconds(function() quiet(lme4::lmer(model3, d))))
  if (size <= 10000) note("lmerTest", "table", size, seconds(function() quiet(coef(summary(lmerTest::lmer(model3, d))))))
  if (size <= 10000) note("lme4", "three", size, seconds(function() quiet(lme4::lmer(three, d))))
  if (small) {
    fit <- lme4::lmer(model3, d)
    found[["criterion"]] <- getME(fit, "devcomp")$cmp[["REML"]]
    drawn <- simulate(fit, nsim = 40, seed = 1)
    note("lme4", "batch", size, 1000 * once(function() for (y in drawn) quiet(refit(fit, y))) / 40)
    note("lme4", "bootstrap", size, 500 * once(function() quiet(bootMer(fit, fixef, nsim = 40, seed = 1))) / 40)
    labels <- unique(d$g)[1:24]
    note("lme4", "influence", size, size * once(function() for (g in labels) quiet(lme4::lmer(model3, d[d$g != g, ]))) / 24)
    long <- rbind(data.frame(g = d$g, t = d$t, r = "y", v = d$y), data.frame(g = d$g, t = d$t, r = "z", v = d$z))
    long <- long[order(long$g, long$t, long$r), ]
    long$p <- (long$r == "y") * 1
    long$c <- (long$r == "z") * 1
    both <- function() quiet(lme(v ~ 0 + p + c + p:t + c:t, random = ~ 0 + p + c + p:t + c:t | g, data = long,
                                 weights = varIdent(form = ~ 1 | r), correlation = corCompSymm(form = ~ 1 | g/t),
                                 control = lmeControl(maxIter = 200, msMaxIter = 500, opt = "optim", returnObject = TRUE)))
    note("nlme", "both", size, once(both))
  }
}
cat("{", paste(sprintf('"%s": %.9f', names(found), unlist(found)), collapse = ", "), "}\n")
