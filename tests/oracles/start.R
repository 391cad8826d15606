# What every topic's script shares: where it stands, how a fit becomes JSON. Source'd first:
#   source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
for (part in c("data_sets.R", "nested_sets.R", "json.R", "optimum.R")) source(file.path(here, part))
dir.create(file.path(here, "data"), showWarnings = FALSE)

named <- function(values, names) setNames(as.list(unname(values)), names)
rows_of <- function(M) lapply(seq_len(nrow(M)), function(i) as.list(unname(M[i, ])))
keep <- function(d, name)
  write.csv(d, file.path(here, "data", paste0(name, ".csv")), row.names = FALSE, quote = FALSE, na = "")
# rounded and read back, so that what is fitted is what lies in the file, whichever script runs first
stored <- function(name) read.csv(file.path(here, "data", paste0(name, ".csv")), stringsAsFactors = FALSE)
versions_of <- function(...) {
  packages <- c(...)
  c(list(R = as.character(getRversion())), named(sapply(packages, function(p) as.character(packageVersion(p))), packages))
}
quiet <- function(x) suppressWarnings(suppressMessages(x))
surely_fit <- function(formula, data, method = "REML")
  quiet(lmerTest::lmer(as.formula(formula), data, REML = method == "REML",
                       control = lmerControl(optimizer = "surely", calc.derivs = FALSE)))

# the blocks of random effects in the order of theta: grouping columns and terms
random_blocks <- function(fit) {
  lapply(seq_along(fit@cnms), function(i) {
    group <- sub("\\.[0-9]+$", "", names(fit@cnms)[i])
    list(group = group, by = as.list(rev(strsplit(group, ":")[[1]])), terms = as.list(fit@cnms[[i]]))
  })
}
variances_of <- function(fit) {
  v <- as.data.frame(VarCorr(fit))
  lapply(seq_len(nrow(v)), function(i) list(group = sub("\\.[0-9]+$", "", v$grp[i]), term1 = v$var1[i],
                                            term2 = v$var2[i], value = v$vcov[i]))
}
# criterion, beta and penalised weighted residual sum of squares at a given theta
at_theta <- function(devfun, theta, terms) {
  value <- devfun(theta)
  inner <- environment(devfun)
  list(theta = as.list(unname(theta)), criterion = value, beta = named(inner$pp$beta(1), terms),
       rss = inner$resp$wrss() + inner$pp$sqrL(1))
}
