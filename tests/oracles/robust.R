# Cluster-robust covariances of lmer fits, CR0 and CR2 with Satterthwaite df -> robust.json
#
# By the formulas of Bell and McCaffrey (2002) and Pustejovsky and Tipton (2018, J. Bus. Econ. Stat. 36: 672-683), in
# base R with full n x n matrices and V of the fit as working model (`source`: "formula"); `club_sandwich` beside them is
# what clubSandwich's own vcovCR and coef_test answer.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(clubSandwich)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))

cases <- list(
  list("therapists", "y ~ t * x + (t | dyad)", c("dyad", "therapist")),
  list("therapists", "y ~ t * exper + (t | dyad) + (1 | therapist)", "therapist"),
  list("therapist_tiny", "y ~ t + (1 | dyad) + (1 | therapist)", "therapist"),
  list("therapist_single", "y ~ t + (1 | dyad)", c("dyad", "therapist")),
  list("therapist_zero", "y ~ t + (t | dyad) + (1 | therapist)", "therapist"),
  list("uneven", "y ~ t + (t | g)", "g"))

root_of_inverse <- function(B) {
  e <- eigen((B + t(B)) / 2, symmetric = TRUE)
  keep <- e$values > 1e-12 * max(e$values)
  e$vectors[, keep, drop = FALSE] %*% (t(e$vectors[, keep, drop = FALSE]) / sqrt(e$values[keep]))
}

sandwich <- function(fit, cluster, kind) {
  X <- getME(fit, "X"); y <- getME(fit, "y"); n <- nrow(X); p <- ncol(X)
  V <- as.matrix(sigma(fit)^2 * (diag(n) + crossprod(getME(fit, "Lambdat") %*% getME(fit, "Zt"))))
  W <- solve(V)
  M <- solve(t(X) %*% W %*% X)
  maker <- diag(n) - X %*% M %*% t(X) %*% W
  e <- maker %*% y
  middle <- matrix(0, p, p)
  U <- lapply(1:p, function(k) NULL)
  for (one in unique(cluster)) {
    g <- which(cluster == one)
    A <- diag(length(g))
    if (kind == "CR2") {
      D <- chol(V[g, g, drop = FALSE])
      B <- D %*% maker[g, , drop = FALSE] %*% V %*% t(maker[g, , drop = FALSE]) %*% t(D)
      A <- t(D) %*% root_of_inverse(B) %*% D
    }
    half <- t(X[g, , drop = FALSE]) %*% W[g, g] %*% A
    middle <- middle + half %*% e[g] %*% t(half %*% e[g])
    for (k in 1:p) U[[k]] <- rbind(U[[k]], (M %*% half)[k, , drop = FALSE] %*% maker[g, , drop = FALSE])
  }
  robust <- unname(M %*% middle %*% M)
  df <- sapply(U, function(u) { S <- u %*% V %*% t(u); sum(diag(S))^2 / sum(S^2) })
  terms <- colnames(X)
  list(covariance = rows_of(robust), std_error = named(sqrt(diag(robust)), terms), df = named(df, terms))
}

# the package itself
club_sandwich <- function(fit, cluster, kind) {
  robust <- quiet(vcovCR(fit, cluster = cluster, type = kind))
  tests <- quiet(coef_test(fit, vcov = robust, test = "Satterthwaite"))
  terms <- names(fixef(fit))
  list(std_error = named(tests$SE, terms), df = named(tests$df_Satt, terms))
}

answers <- list()
for (case in cases) {
  data <- stored(case[[1]])
  fit <- surely_fit(case[[2]], data)
  for (by in case[[3]]) {
    a <- list(data = case[[1]], formula = case[[2]], method = "REML", cluster = by, terms = as.list(names(fixef(fit))),
              random = random_blocks(fit), theta = as.list(unname(getME(fit, "theta"))), sigma = sigma(fit),
              beta = named(fixef(fit), names(fixef(fit))), CR0 = sandwich(fit, data[[by]], "CR0"),
              CR2 = sandwich(fit, data[[by]], "CR2"), source = "formula",
              club_sandwich = list(CR0 = club_sandwich(fit, data[[by]], "CR0"), CR2 = club_sandwich(fit, data[[by]], "CR2")))
    message(sprintf("%-16s %-50s %-9s %s  df %s", a$data, a$formula, by, paste(format(unlist(a$CR2$std_error), digits = 4), collapse = " "),
                    paste(format(unlist(a$CR2$df), digits = 4), collapse = " ")))
    answers[[length(answers) + 1]] <- a
  }
}
write_json17(list(versions = versions_of("lme4", "clubSandwich"), fits = answers), file.path(here, "robust.json"))
