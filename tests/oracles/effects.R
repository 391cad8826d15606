# What a report shows of Model 3 of the two-rater study: expected courses, standardised effects, residuals, modes, the
# model without each dyad, with the number of sessions and for few sessions -> effects.json
suppressPackageStartupMessages({ library(lme4); library(lmerTest) })
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))
source(file.path(here, "study.R"))

d <- stored("study")
d$t <- d$session - min(d$session)
scores <- study_scores(d, "multilevel", "absolute", "window", "log_shift")
predictors <- c("baseline", "convergence", "early_patient", "early_therapist", "early_discrepancy", "development")
dyads <- scores[stats::complete.cases(scores[, predictors]), c("dyad", predictors)]
dyads <- dyads[dyads$dyad %in% d$dyad[!is.na(d$bdi)], ]
means <- sapply(dyads[, predictors], mean); sds <- sapply(dyads[, predictors], sd)
for (k in predictors) dyads[[k]] <- dyads[[k]] - means[[k]]
seen <- d[!is.na(d$wai_p) | !is.na(d$wai_t) | !is.na(d$bdi), ]
dyads$sessions <- sapply(dyads$dyad, function(g) length(unique(seen$session[seen$dyad == g])))
rows <- d[!is.na(d$bdi), c("dyad", "t", "bdi")]
names(rows) <- c("dyad", "time", "outcome")
rows <- merge(rows, dyads, by = "dyad")
rows <- rows[order(rows$dyad, rows$time), ]
model3 <- outcome ~ time * (baseline + early_patient + early_therapist + early_discrepancy + development * convergence) +
  (time | dyad)
table_of <- function(fit) {
  table <- coef(summary(fit))
  list(terms = rownames(table), estimate = unname(table[, 1]), std_error = unname(table[, 2]), df = unname(table[, 3]),
       n_rows = nobs(fit), n_dyads = as.integer(ngrps(fit)[1]))
}
fit <- surely_lmer(model3, rows)

# Expected courses: X b and sqrt(x' V x), degrees of freedom as lmerTest has them.
course <- function(predictor, at) {
  times <- sort(unique(rows$time))
  new <- data.frame(time = times, baseline = 0, convergence = 0, early_patient = 0, early_therapist = 0,
                    early_discrepancy = 0, development = 0, outcome = 0)
  new[[predictor]] <- at * sds[[predictor]]
  X <- model.matrix(terms(fit, fixed.only = TRUE), new)[, names(fixef(fit))]
  V <- as.matrix(vcov(fit))
  tests <- contest1D_rows(X)
  list(predictor = predictor, sds = at, value = means[[predictor]] + at * sds[[predictor]], time = times,
       estimate = unname(drop(X %*% fixef(fit))), std_error = unname(sqrt(diag(X %*% V %*% t(X)))),
       df = tests$df, conf_low = tests$lower, conf_high = tests$upper)
}
contest1D_rows <- function(X) {
  found <- do.call(rbind, lapply(seq_len(nrow(X)), function(i) lmerTest::contest1D(fit, X[i, ], confint = TRUE)))
  list(df = found$df, lower = found$lower, upper = found$upper)
}
courses <- do.call(c, lapply(c("convergence", "development"), function(p) lapply(c(-1, 0, 1), function(at) course(p, at))))

# Standardised: predictors divided by their SDs over dyads, time and outcome by theirs over rows, fitted anew.
scaled <- rows
for (k in predictors) scaled[[k]] <- rows[[k]] / sds[[k]]
for (k in c("time", "outcome")) scaled[[k]] <- rows[[k]] / sd(rows[[k]])

# The model without each dyad, refitted.
without <- lapply(dyads$dyad, function(g) fixef(surely_lmer(model3, rows[rows$dyad != g, ])))
change <- sapply(without, function(b) fixef(fit) - b)
cook <- apply(change, 2, function(x) sum(x * solve(as.matrix(vcov(fit)), x)) / length(x))

rows$sessions <- rows$sessions - mean(dyads$sessions)
# A declared number of sessions: the dyad's place among all.
few <- rows[match(rows$dyad, sort(unique(d$dyad))) <= 30, ]
null <- surely_lmer(outcome ~ time + (time | dyad), rows)

modes <- ranef(fit)$dyad
write_json17(list(
  versions = versions_of("lme4", "lmerTest"),
  courses = courses,
  standardised = table_of(surely_lmer(model3, scaled)),
  sigma = sigma(fit), fitted = unname(fitted(fit)), residual = unname(residuals(fit)), dyad = rows$dyad,
  intercepts = modes[, 1], slopes = modes[, 2],
  cook = unname(cook), without = lapply(without, function(b) unname(b)), terms = names(fixef(fit)),
  null_variances = as.data.frame(VarCorr(null))$vcov[c(1, 2, 4)],
  variances = as.data.frame(VarCorr(fit))$vcov[c(1, 2, 4)],
  sessions = table_of(surely_lmer(update(model3, . ~ . + time * sessions), rows)),
  fewer_sessions = table_of(surely_lmer(model3, few))
), file.path(here, "effects.json"))
