# A description by base R, psych (statsBy, r.con), lme4 and mice (md.pattern), on simulated
# sessions with gaps, skipped forms and drop-out that goes with a bad outcome.
# Run in this folder: Rscript description.R
suppressMessages({library(lme4); library(psych); library(mice)})
source("json.R")

set.seed(20)
K <- 16; per <- sample(2:6, K, replace = TRUE); J <- sum(per); k <- rep(1:K, per)
d <- expand.grid(session = 1:8, dyad = sprintf("d%02d", 1:J), stringsAsFactors = FALSE)[, 2:1]
j <- as.integer(factor(d$dyad))
d$therapist <- sprintf("th%02d", k[j])
u <- matrix(rnorm(3 * J), J) %*% chol(matrix(c(1, .5, -.3, .5, 1, -.2, -.3, -.2, 1), 3)); v <- matrix(rnorm(3 * K), K)
e <- rnorm(nrow(d))
d$wai_p <- 5 + .9 * u[j, 1] + .4 * v[k[j], 1] + .05 * d$session + .5 * rnorm(nrow(d)) + .3 * e
d$wai_t <- 5.2 + .6 * u[j, 2] + .3 * v[k[j], 2] + .02 * d$session + .5 * rnorm(nrow(d)) + .2 * e
d$bdi <- 28 + 6 * u[j, 3] + 2 * v[k[j], 3] - d$session + 4 * rnorm(nrow(d))
for (x in c("wai_p", "wai_t", "bdi")) d[[x]] <- round(d[[x]], 2)
gone <- runif(nrow(d)) < plogis(-3.2 + .08 * (d$bdi - 25)) & d$session > 1 & d$session < 8
end <- tapply(seq_len(nrow(d)), d$dyad, function(i) if (any(gone[i])) d$session[i][gone[i]][1] else 8)
d$reason <- ifelse(end[d$dyad] == 8, "as planned", ifelse(j %% 3 == 0, "moved", ifelse(j %% 3 == 1, "", "no show")))
for (x in c("wai_p", "wai_t", "bdi")) d[[x]][runif(nrow(d)) < .06] <- NA
d <- d[d$session <= end[d$dyad] & (runif(nrow(d)) > .05 | d$session == 1), ]
d <- d[rowSums(!is.na(d[c("wai_p", "wai_t", "bdi")])) > 0, ]
write.csv(d, "data/description.csv", row.names = FALSE, quote = FALSE, na = "")

both <- d[!is.na(d$wai_p) & !is.na(d$wai_t), ]
both$dyad <- factor(both$dyad)
m <- as.vector(table(both$dyad)); mean_p <- tapply(both$wai_p, both$dyad, mean); mean_t <- tapply(both$wai_t, both$dyad, mean)
line <- lm(wai_p ~ dyad + wai_t, both); a <- anova(line)                       # Bland & Altman (1995), part 1
within <- sign(coef(line)[["wai_t"]]) * sqrt(a["wai_t", 2] / sum(a[c("wai_t", "Residuals"), 2]))
weighted <- cov.wt(cbind(mean_p, mean_t), wt = m, cor = TRUE)$cor[1, 2]        # part 2
by_means <- cor.test(mean_p, mean_t)
of_levels <- statsBy(both[c("dyad", "wai_p", "wai_t")], "dyad")
row_of <- function(r, df, n, p) { ci <- r.con(r, df + 2); list(correlation = r, df = df, n = n, conf_low = ci[1], conf_high = ci[2], p_value = p) }
correlations <- list(
  within = row_of(within, line$df.residual, nrow(both), a["wai_t", 5]),
  between = row_of(unname(by_means$estimate), length(m) - 2L, length(m), by_means$p.value),
  between_weighted = row_of(weighted, length(m) - 2L, length(m), summary(lm(mean_p ~ mean_t, weights = m))$coefficients[2, 4]),
  total = cor(both$wai_p, both$wai_t), stats_by = list(rwg = of_levels$rwg[1, 2], rbg = of_levels$rbg[1, 2]))
own <- sapply(levels(both$dyad)[m > 2], function(g) with(both[both$dyad == g, ], cor(wai_p, wai_t)))
by_dyad <- list(dyads = length(own), mean = mean(own), quantiles = unname(quantile(own)), negative = mean(own < 0))

both$difference <- both$wai_p - both$wai_t                                     # Bland & Altman (2007)
ms <- anova(lm(difference ~ dyad, both))[, 3]; N <- nrow(both)
sb <- max((ms[1] - ms[2]) / ((N^2 - sum(m^2)) / ((length(m) - 1) * N)), 0)
V <- sb * outer(both$dyad, both$dyad, "==") + ms[2] * diag(N)
agreement <- list(mean_difference = mean(both$difference), std_error = sqrt(sum(V)) / N, sd_between = sqrt(sb),
  sd_within = sqrt(ms[2]), sd_difference = sqrt(sb + ms[2]),
  limits = mean(both$difference) + c(-1.96, 1.96) * sqrt(sb + ms[2]), mean_absolute_difference = mean(abs(both$difference)))

# Variance components from the expectations of quadratic forms, E y'Ay = sum of tr(A Z Z') times the variance.
components <- function(x, three) {
  hat <- function(f) { X <- model.matrix(~ f); X %*% solve(crossprod(X), t(X)) }
  n <- nrow(x); mean_of <- matrix(1 / n, n, n); H <- hat(factor(x$dyad)); A <- list(diag(n) - H, H - mean_of)
  same <- list(diag(n), outer(x$dyad, x$dyad, "=="))
  if (three) { G <- hat(factor(x$therapist)); A <- list(diag(n) - H, H - G, G - mean_of); same[[3]] <- outer(x$therapist, x$therapist, "==") }
  expected <- sapply(same, function(S) sapply(A, function(B) sum(B * S)))
  v <- pmax(solve(expected, sapply(A, function(B) drop(x$y %*% B %*% x$y))), 0)
  share <- v[-1] / sum(v)
  list(variances = v, icc = if (three) c(share, sum(share)) else share)
}
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
icc_of <- function(variable, three) {
  x <- d[!is.na(d[[variable]]), ]; x$y <- x[[variable]]
  fit <- lmer(if (three) y ~ 1 + (1 | dyad) + (1 | therapist) else y ~ 1 + (1 | dyad), x, control = tight)
  vc <- as.data.frame(VarCorr(fit)); variance <- setNames(vc$vcov, vc$grp)[c("Residual", "dyad", if (three) "therapist")]
  share <- unname(variance[-1] / sum(variance))
  group <- x[[if (three) "therapist" else "dyad"]]
  left_out <- sapply(unique(group), function(g) components(x[group != g, ], three)$icc)
  left_out <- matrix(left_out, ncol = length(unique(group))); a <- ncol(left_out)
  list(n = nrow(x), reml = unname(variance), reml_icc = if (three) c(share, sum(share)) else share,
       anova = components(x, three), jackknife = sqrt((a - 1) / a * rowSums((left_out - rowMeans(left_out))^2)))
}
variables <- c(patient_rating = "wai_p", therapist_rating = "wai_t", outcome = "bdi")
iccs <- list(two = lapply(variables, icc_of, FALSE), three = lapply(variables, icc_of, TRUE))

last <- tapply(d$session, d$dyad, max)
lost <- table(factor(last, 1:8)); there <- rev(cumsum(rev(lost)))
risk <- d; risk$event <- risk$session == last[risk$dyad]
for (x in variables) for (g in unique(d$dyad)) { i <- which(d$dyad == g); for (h in i[-1]) if (is.na(risk[[x]][h])) risk[[x]][h] <- risk[[x]][h - 1] }
risk <- risk[risk$session < 8 & complete.cases(risk[variables]), ]
unit <- sapply(risk[variables], sd)
for (x in variables) risk[[x]] <- (risk[[x]] - mean(risk[[x]])) / sd(risk[[x]])
model <- glm(event ~ session + wai_p + wai_t + bdi, binomial, risk, epsilon = 1e-14)
dropout <- list(n_rows = nrow(risk), n_events = sum(risk$event), unit = unname(unit), table = as.list(as.data.frame(summary(model)$coefficients)),
  conf_low = unname(exp(confint.default(model)[, 1])), conf_high = unname(exp(confint.default(model)[, 2])))

patterns <- md.pattern(d[variables], plot = FALSE)
patterns <- patterns[-nrow(patterns), ]
write_json17(list(correlations = correlations, by_dyad = by_dyad, agreement = agreement, iccs = iccs, dropout = dropout,
  retention = list(at_risk = as.vector(there), observed = as.vector(table(d$session)), product_limit = c(1, cumprod(1 - as.vector(lost / there))[-8])),
  patterns = list(wai_p = patterns[, "wai_p"], wai_t = patterns[, "wai_t"], bdi = patterns[, "bdi"], rows = as.integer(rownames(patterns)))),
  "description.json")
