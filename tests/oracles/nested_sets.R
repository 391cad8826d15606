# Sessions in dyads in therapists, and two raters at once: simulated, rounded, small; a seed per set.

# `dyads`: number of dyads per therapist; `repeated`: dyads are counted anew within every therapist
nested <- function(seed, dyads, times, therapist = c(1, 0), dyad = c(1.5, 0.3), r = 0, sigma = 1, drop = 0,
                   repeated = FALSE, jitter = 0, digits = 3) {
  set.seed(seed)
  k <- length(dyads); m <- sum(dyads)
  of <- rep(seq_len(k), dyads)
  w0 <- therapist[1] * rnorm(k); w1 <- therapist[2] * rnorm(k)
  u0 <- rnorm(m); u1 <- dyad[2] * (r * u0 + sqrt(1 - r^2) * rnorm(m)); u0 <- dyad[1] * u0
  exper <- round(runif(k, 1, 20), 1); x <- round(rnorm(m), 3)
  d <- expand.grid(t = times, j = seq_len(m))
  if (drop > 0) d <- d[runif(nrow(d)) > drop, ]
  if (jitter > 0) d$t <- round(pmax(0, d$t + runif(nrow(d), -jitter, jitter)), 2)
  g <- d$j; h <- of[g]
  y <- 10 + 0.1 * exper[h] + 0.5 * x[g] + w0[h] + u0[g] + (0.4 - 0.15 * x[g] + w1[h] + u1[g]) * d$t + sigma * rnorm(nrow(d))
  number <- if (repeated) g - c(0, cumsum(dyads))[h] else g
  data.frame(therapist = sprintf("T%02d", h), dyad = sprintf("d%03d", number), t = d$t, x = x[g], exper = exper[h],
             y = round(y, digits))
}

make_nested_sets <- function() {
  sets <- list()
  set.seed(40); some <- sample(1:7, 14, replace = TRUE); some[c(3, 9)] <- 1
  sets$therapists <- nested(41, some, 0:7, c(1.2, 0), c(1.6, 0.35), -0.2, 1, drop = 0.2)
  sets$therapist_slopes <- nested(42, rep(c(3, 5, 6), 6), 0:5, c(1, 0.3), c(1.2, 0.4), 0.2, 0.9, drop = 0.1, repeated = TRUE)
  sets$therapist_uneven <- nested(43, sample(1:6, 15, TRUE), 0:6, c(0.9, 0), c(1.3, 0.3), 0, 1, drop = 0.3, jitter = 0.45)
  sets$therapist_zero <- nested(46, rep(c(2, 4), 5), 0:5, c(0, 0), c(1.4, 0.4), 0.1, 1, drop = 0.1)
  sets$therapist_balanced <- nested(45, rep(4, 9), 0:4, c(1, 0), c(1.5, 0), 0, 1)
  sets$therapist_tiny <- nested(47, c(2, 1, 2, 3, 2, 1), 0:3, c(1.5, 0), c(1, 0.4), 0, 0.6, drop = 0.1)
  # most therapists treat one dyad, where the two levels can hardly be told apart
  sets$therapist_single <- nested(48, c(rep(1, 14), 2, 3, 2, 4), 0:5, c(1.5, 0), c(1, 0.3), 0, 1, drop = 0.15)
  # outcome in the ten thousands around a large level, as shifts and scales would make it
  d <- nested(49, rep(c(2, 3, 4), 4), 0:5, c(1, 0), c(1.5, 0.3), 0, 1, drop = 0.1)
  d$y <- round(1e6 + 1e4 * d$y); d$t <- d$t + 10
  sets$therapist_shifted <- d
  # a slope variance of a four-hundredth of the error variance: inside, but only just
  sets$near_boundary <- nested(74, rep(c(2, 3, 5), 4), 0:5, c(0.35, 0), c(1.2, 0.12), 0, 1, drop = 0.1)
  lapply(sets, function(d) { rownames(d) <- NULL; d })
}
