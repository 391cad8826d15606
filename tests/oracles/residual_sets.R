# Data with residuals that are not independent or not of one variance: simulated, rounded, small; a seed per set.

ar1 <- function(t, phi) {
  L <- chol(phi^abs(outer(t, t, "-")))
  drop(t(L) %*% rnorm(length(t)))
}
within_groups <- function(group, f) unsplit(lapply(split(seq_along(group), group), f), group)

make_residual_sets <- function() {
  sets <- list()

  # integer occasions, whole sessions missing; `phase` for a variance by period
  set.seed(60); m <- 45
  d <- expand.grid(occasion = 1:10, g = seq_len(m))
  d <- d[runif(nrow(d)) > 0.2, ]
  d$t <- d$occasion - 1
  d$phase <- ifelse(d$occasion <= 3, "early", ifelse(d$occasion <= 7, "middle", "late"))
  sd <- c(early = 1, middle = 1.3, late = 1.8)[d$phase]
  e <- within_groups(d$g, function(i) ar1(d$occasion[i], 0.5))
  u <- cbind(2 * rnorm(m), 0.45 * rnorm(m))
  d$dyad <- sprintf("d%02d", d$g)
  d$y <- round(12 + u[d$g, 1] + (0.5 + u[d$g, 2]) * d$t + 1.4 * sd * e, 3)
  sets$serial <- d[, c("dyad", "occasion", "t", "phase", "y")]

  # the same in uneven time, two decimals, three dyads with one row
  set.seed(61); m <- 40
  d <- expand.grid(k = 0:8, g = seq_len(m))
  d <- d[runif(nrow(d)) > 0.25 & !(d$g %in% c(4, 17, 30) & d$k > 0), ]
  d$time <- round(pmax(0, d$k + runif(nrow(d), -0.48, 0.48)), 2)
  e <- within_groups(d$g, function(i) ar1(d$time[i], 0.4))
  u <- cbind(1.5 * rnorm(m), 0.35 * rnorm(m))
  d$dyad <- sprintf("d%02d", d$g)
  d$y <- round(8 + u[d$g, 1] + (0.3 + u[d$g, 2]) * d$time + 1.2 * e, 3)
  sets$serial_uneven <- d[, c("dyad", "time", "y")]

  # therapists above the dyads; ids are unique
  set.seed(62); of <- rep(1:12, c(1, 5, 4, 3, 6, 2, 4, 5, 1, 4, 3, 6)); m <- length(of)
  d <- expand.grid(occasion = 1:7, g = seq_len(m))
  d <- d[runif(nrow(d)) > 0.12, ]
  d$t <- d$occasion - 1
  e <- within_groups(d$g, function(i) ar1(d$occasion[i], 0.45))
  d$therapist <- sprintf("T%02d", of[d$g]); d$dyad <- sprintf("d%02d", d$g)
  d$y <- round(10 + (1.5 * rnorm(12))[of[d$g]] + (1.5 * rnorm(m))[d$g] + (0.4 + (0.4 * rnorm(m))[d$g]) * d$t + 1.3 * e, 3)
  sets$serial_nested <- d[, c("therapist", "dyad", "occasion", "t", "y")]

  # rows of a dyad push each other apart: a negative correlation that no random intercept can make
  set.seed(63); m <- 30
  d <- expand.grid(t = 0:3, g = seq_len(m))
  d <- d[runif(nrow(d)) > 0.1, ]
  L <- chol(matrix(-0.2, 4, 4) + diag(1.2, 4))
  E <- matrix(rnorm(4 * m), m) %*% L
  d$dyad <- sprintf("d%02d", d$g)
  d$y <- round(5 + 0.3 * d$t + 2 * E[cbind(d$g, d$t + 1)], 3)
  sets$opposed <- d[, c("dyad", "t", "y")]

  # slopes differ between dyads, levels are one correlation within the dyad
  set.seed(64); m <- 35
  d <- expand.grid(t = 0:5, g = seq_len(m))
  d <- d[runif(nrow(d)) > 0.15, ]
  d$dyad <- sprintf("d%02d", d$g)
  d$y <- round(9 + (1.1 * rnorm(m))[d$g] + (0.4 + (0.5 * rnorm(m))[d$g]) * d$t + 1.2 * rnorm(nrow(d)), 3)
  sets$symmetric <- d[, c("dyad", "t", "y")]

  # two raters: four correlated effects per dyad, a variance per rater, correlated within a session;
  # some sessions are rated by one of the two, one dyad never by the therapist
  two <- function(seed, m, sessions, drop, single) {
    set.seed(seed)
    R <- matrix(c(1, 0.5, 0.2, 0.1, 0.5, 1, 0.1, 0.2, 0.2, 0.1, 1, 0.4, 0.1, 0.2, 0.4, 1), 4)
    u <- matrix(rnorm(4 * m), m) %*% chol(R) %*% diag(c(0.9, 0.7, 0.12, 0.09))
    d <- expand.grid(session = seq_len(sessions), g = seq_len(m))
    d <- d[runif(nrow(d)) > drop, ]
    t <- d$session - 1; n <- nrow(d)
    e <- matrix(rnorm(2 * n), n) %*% chol(matrix(c(1, 0.35, 0.35, 1), 2))
    p <- 5 + u[d$g, 1] + (0.06 + u[d$g, 3]) * t + 0.5 * e[, 1]
    h <- 5.2 + u[d$g, 2] + (0.04 + u[d$g, 4]) * t + 0.4 * e[, 2]
    d <- rbind(data.frame(d, t = t, rater = "patient", y = p), data.frame(d, t = t, rater = "therapist", y = h))
    d <- d[runif(nrow(d)) > single & !(d$g == 5 & d$rater == "therapist"), ]
    d <- d[order(d$g, d$session, d$rater), ]
    d$dyad <- sprintf("d%02d", d$g)
    d$pat <- as.numeric(d$rater == "patient"); d$the <- 1 - d$pat
    d$pat_t <- d$pat * d$t; d$the_t <- d$the * d$t
    d$y <- round(d$y, 3)
    d[, c("dyad", "session", "t", "rater", "pat", "the", "pat_t", "the_t", "y")]
  }
  sets$raters <- two(65, 40, 9, 0.1, 0.12)
  sets$raters_small <- two(66, 16, 5, 0, 0)
  lapply(sets, function(d) { rownames(d) <- NULL; d })
}
