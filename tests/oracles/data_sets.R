# The oracle data sets: simulated, rounded (so that the CSV is exactly what was fitted) and small.
# Source'd by oracles.R; every set has its own seed, so that one can be added without changing the others.

growth <- function(seed, groups, times, sd0, sd1, r, sigma, drop = 0, slope = 0.5, level = 10) {
  set.seed(seed)
  z0 <- rnorm(groups); z1 <- r * z0 + sqrt(1 - r^2) * rnorm(groups)
  d <- expand.grid(t = times, g = seq_len(groups))
  d$y <- level + sd0 * z0[d$g] + (slope + sd1 * z1[d$g]) * d$t + sigma * rnorm(nrow(d))
  if (drop > 0) d <- d[runif(nrow(d)) > drop, ]
  d
}

finish <- function(d, digits = 3) {
  d$y <- round(d$y, digits)
  d$g <- sprintf("g%03d", d$g)
  d[, c("g", "t", setdiff(names(d), c("g", "t", "y")), "y")]
}

make_sets <- function() {
  sets <- list()
  sets$balanced <- finish(growth(11, 20, 0:5, 2, 0, 0, 1.5))

  # the shape of Model 3: 96 dyads, sessions 1-14, drop-out and skipped forms, about 1,090 rows
  set.seed(12)
  m <- 96
  dyads <- data.frame(init = rnorm(m, 0, 9.5), pat = rnorm(m), the = rnorm(m, 0, 0.7), dev = rnorm(m, 0, 0.9),
                      conv = rnorm(m, 0, 0.35))
  dyads <- as.data.frame(lapply(dyads, function(v) round(v - mean(v), 4)))
  z0 <- rnorm(m); z1 <- -0.2 * z0 + sqrt(1 - 0.04) * rnorm(m)
  last <- ifelse(runif(m) < 0.25, sample(1:13, m, replace = TRUE), 14)
  d <- expand.grid(t = 0:13, g = seq_len(m))
  d <- d[d$t < last[d$g] & runif(nrow(d)) > 0.09, ]
  x <- dyads[d$g, ]
  d <- cbind(d, x)
  d$y <- with(d, 27 + 0.6 * init - 0.5 * pat - 0.4 * the + 0.3 * dev - 1.2 * conv + 0.8 * dev * conv + 5 * z0[g] +
    t * (-0.75 - 0.01 * init - 0.05 * pat + 0.03 * the - 0.3 * dev - 0.25 * conv + 0.2 * dev * conv + 0.55 * z1[g]) +
    sqrt(18) * rnorm(nrow(d)))
  sets$model3 <- finish(d, 2)

  d <- growth(13, 25, 0:6, 1.5, 0.4, 0, 1, drop = 0.15)
  d$x <- round(rnorm(25)[d$g], 3)
  sets$uncorrelated <- finish(d)

  d <- growth(14, 40, 0:7, 2, 0.6, -0.3, 0.8, drop = 0.1)
  d$y <- d$y + 0.12 * rnorm(40)[d$g] * d$t^2
  d$t2 <- d$t^2
  sets$quadratic <- finish(d)

  d <- growth(15, 30, 0:4, 1.2, 0.5, 0.2, 0.9, drop = 0.1)
  arm <- c("waiting", "CBT", "IPT")[d$g %% 3 + 1]
  d$y <- d$y + ifelse(arm == "CBT", -0.6 * d$t, ifelse(arm == "IPT", 0.8, 0))
  d$arm <- arm
  sets$arms <- finish(d)

  sets$zero_slope <- finish(growth(20, 18, 0:5, 1.5, 0, 0, 1, drop = 0.1))
  sets$perfect_correlation <- finish(growth(28, 16, 0:4, 1, 0.35, 1, 1.2, drop = 0.1))
  sets$no_variance <- finish(growth(27, 14, 0:3, 0, 0, 0, 1))
  sets$large_icc <- finish(growth(18, 20, 0:5, 10, 0.1, 0, 0.2, drop = 0.1), 4)
  sets$extreme_icc <- finish(growth(18, 20, 0:5, 40, 0.02, 0, 0.05, drop = 0.1), 5)

  d <- growth(19, 30, 1:6, 1, 0.3, 0.3, 0.7)
  d$t <- round(pmax(0, d$t - 1 + runif(nrow(d), -0.45, 0.45)), 3)
  d <- d[runif(nrow(d)) > 0.25, ]
  sets$uneven <- finish(d)

  sets$tiny <- finish(growth(21, 6, 0:3, 2, 0.8, 0, 0.6))

  # outcome in the hundred thousands, time in thousandths, a predictor in the ten thousands
  d <- growth(22, 24, 0:5, 2, 0.5, 0.1, 1, drop = 0.1)
  d$x <- round(50000 * rnorm(24)[d$g])
  d$y <- 1e5 * d$y + 0.9 * d$x
  d$t <- d$t / 1000
  sets$scales <- finish(d, 0)
  lapply(sets, function(d) { rownames(d) <- NULL; d })
}

# Two raters and an outcome: what the whole way from ratings to Model 3 is computed from.
# One dyad is never rated by the therapist, one has no baseline, single forms are skipped, the last
# occasion (11) has outcomes only.
make_study <- function() {
  set.seed(30)
  m <- 40
  f <- matrix(rnorm(4 * m), m)
  p0 <- 4.9 + 0.9 * f[, 1]; t0 <- 5.1 + 0.5 * (0.5 * f[, 1] + sqrt(0.75) * f[, 2])
  p1 <- 0.065 + 0.08 * f[, 3]; t1 <- 0.035 + 0.06 * (0.4 * f[, 3] + sqrt(0.84) * f[, 4])
  pre <- round(rnorm(m, 33, 8)); b0 <- 5 * rnorm(m); b1 <- 0.5 * rnorm(m)
  last <- ifelse(runif(m) < 0.3, sample(3:9, m, replace = TRUE), 11)
  d <- expand.grid(session = 1:11, dyad = seq_len(m))
  d <- d[d$session <= last[d$dyad], ]
  g <- d$dyad; t <- d$session - 1; n <- nrow(d)
  d$wai_p <- round(p0[g] + p1[g] * t + 0.45 * rnorm(n), 2)
  d$wai_t <- round(t0[g] + t1[g] * t + 0.42 * rnorm(n), 2)
  d$bdi <- round(27 + 0.5 * (pre[g] - 33) + b0[g] - 2 * f[g, 1] + t * (-0.8 + b1[g] - 0.3 * f[g, 3]) + 4 * rnorm(n))
  d$bdi_pre <- pre[g]
  for (column in c("wai_p", "wai_t", "bdi")) d[[column]][runif(n) < 0.1] <- NA
  d$wai_p[d$session == 11] <- NA
  d$wai_t[d$session == 11] <- NA
  d$wai_t[g == 7] <- NA
  d$bdi_pre[g == 19] <- NA
  d$dyad <- sprintf("d%02d", g)
  rownames(d) <- NULL
  d[, c("dyad", "session", "wai_p", "wai_t", "bdi", "bdi_pre")]
}
