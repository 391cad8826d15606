# Power of one slope from R's noncentral t and F, the attenuated slope from the correlation matrix itself, and a probit
# line from glm -> power.json
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
source(file.path(here, "json.R"))

rejects <- function(n, f2, alpha, k) {
  df <- n - 2 - k
  critical <- qt(alpha / 2, df, lower.tail = FALSE)
  pt(critical, df, sqrt(n * f2), lower.tail = FALSE) + pt(-critical, df, sqrt(n * f2))
}
rejects_f <- function(n, f2, alpha, k)
  pf(qf(alpha, 1, n - 2 - k, lower.tail = FALSE), 1, n - 2 - k, n * f2, lower.tail = FALSE)

# The outcome, the score as observed and the best combination of the covariates, all of variance 1: the error-free score
# has the slope beta beside the covariates, which explain r2_outcome of the outcome alone and r2_predictor of the score.
regression <- function(beta, r2_outcome, r2_predictor, reliability) {
  with_covariate <- sqrt(r2_predictor / reliability)
  gamma <- sqrt(r2_outcome) - beta * with_covariate
  true <- beta + gamma * with_covariate
  covariances <- c(score = sqrt(reliability) * true, covariate = gamma + beta * with_covariate)
  S <- matrix(c(1, sqrt(r2_predictor), sqrt(r2_predictor), 1), 2)
  slopes <- solve(S, covariances)
  full <- sum(slopes * covariances)
  added <- full - covariances[["covariate"]]^2
  list(beta_observed = slopes[[1]], r2_added = added, f2 = added / (1 - full))
}

designs <- list(
  list(covariates = 0L, r2_outcome = 0, r2_predictor = 0, reliability = 1),
  list(covariates = 0L, r2_outcome = 0, r2_predictor = 0, reliability = .6),
  list(covariates = 1L, r2_outcome = .25, r2_predictor = 0, reliability = 1),
  list(covariates = 1L, r2_outcome = .25, r2_predictor = .1, reliability = .6),
  list(covariates = 5L, r2_outcome = .4, r2_predictor = .3, reliability = .8))
cases <- list()
for (design in designs) for (beta in c(.4, .3, .2, .1)) for (alpha in c(.05, .01)) {
  effect <- with(design, regression(beta, r2_outcome, r2_predictor, reliability))
  k <- design$covariates
  power <- lapply(c(20L, 96L, 139L), function(n)
    list(n = n, t = rejects(n, effect$f2, alpha, k), F = rejects_f(n, effect$f2, alpha, k)))
  n <- k + 3L
  while (rejects_f(n, effect$f2, alpha, k) < .8) n <- n + 1L
  cases <- c(cases, list(c(list(beta = beta, alpha = alpha), design, effect, list(power = power, n80 = n))))
}
slopes <- list()
for (design in designs) for (n in c(40L, 96L, 139L)) for (goal in c(.5, .8, .95)) {
  missed <- function(beta) {
    effect <- with(design, regression(beta, r2_outcome, r2_predictor, reliability))
    rejects_f(n, effect$f2, .05, design$covariates) - goal
  }
  top <- with(design, sqrt((1 - r2_outcome) / (1 - r2_predictor / reliability)))
  found <- uniroot(missed, c(1e-3, .999 * top), tol = 1e-14, maxiter = 10000)$root
  slopes <- c(slopes, list(c(list(study = n, goal = goal, slope = found), design)))
}

probit <- lapply(list(
  list(x = c(5, 6, 8, 9, 9.5), successes = c(31, 44, 139, 161, 330), trials = c(100, 100, 200, 200, 400)),
  list(x = c(9.1, 10.4), successes = c(771, 861), trials = c(1000, 1000)),
  list(x = c(3, 10, 20), successes = c(2, 40, 97), trials = c(100, 100, 100))), function(d) {
  fit <- glm(cbind(successes, trials - successes) ~ x, binomial("probit"), d, control = list(epsilon = 1e-14))
  c(d, list(line = unname(coef(fit)), covariance = as.vector(unname(vcov(fit)))))
})
answers <- list(versions = list(R = as.character(getRversion())), cases = cases, slopes = slopes, probit = probit)
# one case per line: a changed number is a changed line
text <- to_json17(answers)
for (start in c('{"beta"', '{"study"', '{"x"')) text <- gsub(start, paste0("\n", start), text, fixed = TRUE)
writeLines(text, file.path(here, "power.json"))
