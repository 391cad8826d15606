# Reliability of scales -> reliability.json, data/reliability.csv
#
# psych: alpha with its intervals, items dropped, loadings by fa, multilevel.reliability. lavaan: omega of the one-factor model with its
# standard error (expected information) and that of its logit. lme4: variance components by REML where records are missing.
# Simulated answers lie in data/reliability.csv. Real ones are read from ../shared beside the repository (never copied):
# nine items of the Working Alliance Inventory in 15 sessions, gad_alliance_sessions.csv (MIT licence, its README there).
suppressPackageStartupMessages({library(psych); library(lavaan); library(lme4)})
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])), "start.R"))

# -- simulated answers: 60 persons, 5 occasions, 6 items; `kept` leaves persons with 1 to 5 records ----------------------
set.seed(20041)
P <- 60; K <- 5; m <- 6
of_person <- rnorm(P, 0, 0.8); of_time <- c(-0.5, -0.2, 0, 0.25, 0.5); of_item <- c(-0.6, -0.3, 0, 0.1, 0.4, 0.5)
person_time <- matrix(rnorm(P * K, 0, 0.5), P); person_item <- matrix(rnorm(P * m, 0, 0.4), P)
time_item <- matrix(rnorm(K * m, 0, 0.2), K)
loading <- c(1.2, 1.0, 0.8, 1.1, 0.9, 1.0)
d <- expand.grid(time = 1:K, person = 1:P)[, c("person", "time")]
for (j in 1:m) {
  d[[paste0("i", j)]] <- round(4.2 + loading[j] * (of_person[d$person] + person_time[cbind(d$person, d$time)]) +
    of_time[d$time] + of_item[j] + person_item[d$person, j] + time_item[d$time, j] + rnorm(nrow(d), 0, 0.7), 1)
}
last <- sample(1:K, P, TRUE, prob = c(1, 2, 2, 3, 6))
d$kept <- as.integer(d$time <= last[d$person] & (runif(nrow(d)) > 0.1 | d$time == 1))
keep(d, "reliability")
d <- stored("reliability")
items <- paste0("i", 1:m)

# -- coefficients of one matrix of answers -----------------------------------------------------------------------------
consistency <- function(x, data, scale, time) {
  x <- na.omit(x)
  capture.output(a <- quiet(psych::alpha(x)))
  out <- list(data = data, scale = scale, time = time, n = nrow(x), n_items = ncol(x), alpha = a$total$raw_alpha,
              feldt_low = unname(unlist(a$feldt$lower.ci))[1], feldt_high = unname(unlist(a$feldt$upper.ci))[1],
              alpha_error = a$total$ase, mean_inter_item = a$total$average_r, dropped = as.list(a$alpha.drop$raw_alpha),
              r_rest = as.list(a$item.stats$r.drop), mean = as.list(unname(colMeans(x))),
              sd = as.list(unname(apply(x, 2, sd))))
  if (ncol(x) < 3) return(out)
  names(x) <- paste0("y", seq_along(x))
  k <- ncol(x)
  model <- c(paste0("f =~ ", paste0("l", 1:k, " * y", 1:k, collapse = " + ")), paste0("y", 1:k, " ~~ u", 1:k, " * y", 1:k),
             paste0("common := (", paste0("l", 1:k, collapse = " + "), ")^2"),
             paste0("unique := ", paste0("u", 1:k, collapse = " + ")),
             "omega := common / (common + unique)", "logit := log(common / unique)")
  # nlminb calls the sharpest tolerances "false convergence": the sharpest that it accepts
  sharply <- function(...) {
    for (rel.tol in 10^-(14:8)) {
      f <- quiet(cfa(model, x, std.lv = TRUE, control = list(rel.tol = rel.tol, iter.max = 20000, eval.max = 50000), ...))
      if (lavInspect(f, "converged")) return(f)
    }
    stop("lavaan did not converge")
  }
  f <- sharply()
  heywood <- any(coef(f)[paste0("u", 1:k)] < 0)
  if (heywood) f <- sharply(bounds = "pos.var")
  pe <- quiet(parameterEstimates(f))
  of <- function(label) pe[pe$label == label, ]
  c(out, list(heywood = heywood, omega = of("omega")$est,
              omega_error = if (heywood) NA_real_ else of("omega")$se, logit_error = if (heywood) NA_real_ else of("logit")$se,
              loadings = as.list(pe$est[pe$op == "=~"]), uniquenesses = as.list(pe$est[grepl("^u[0-9]", pe$label)]),
              discrepancy = 2 * lavInspect(f, "optim")$fx,
              psych_loadings = {
                capture.output(o <- quiet(psych::fa(x, nfactors = 1, fm = "ml")))
                as.list(unname(o$loadings[, 1]))
              }))
}

real <- read.csv(file.path(here, "../../../shared/data/gad_alliance_sessions.csv"))
wai <- paste0("wai_", rep(c("task", "goal", "bond"), each = 3), 1:3)
scales <- list(total = 1:9, task = 1:3, goal = 4:6, bond = 7:9, pair = c(1, 4))
answers <- list()
for (s in sort(unique(real$session))) for (scale in names(scales))
  answers <- c(answers, list(consistency(real[real$session == s, wai[scales[[scale]]]], "gad_alliance_sessions", scale, s)))
simulated <- list(total = 1:6, half = 1:3, pair = c(2, 5))
for (s in 1:K) for (scale in names(simulated))
  answers <- c(answers, list(consistency(d[d$time == s, items[simulated[[scale]]]], "reliability", scale, s)))

# -- persons, occasions, items -----------------------------------------------------------------------------------------
balanced <- quiet(multilevel.reliability(d, grp = "person", Time = "time", items = items, alpha = FALSE, aov = TRUE,
                                         lmer = FALSE, lme = TRUE))
part <- balanced$components[["variance"]]
of_psych <- list(person = part[1], time = part[2], item = part[3], person_time = part[4], person_item = part[5],
                 time_item = part[6], residual = part[7], r_kf = balanced$RkF, r_1r = balanced$R1R, r_kr = balanced$RkR,
                 r_c = balanced$Rc, nested_person = balanced$components["id", 1],
                 nested_occasion = balanced$components["id(time)", 1], nested_residual = balanced$components["residual", 1],
                 r_kr_nested = balanced$RkRn, r_c_nested = balanced$Rcn)
by_reml <- function(d) {
  long <- reshape(d[c("person", "time", items)], direction = "long", varying = list(items), v.names = "y", timevar = "item",
                  idvar = c("person", "time"))
  sharp <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
  f <- quiet(lmer(y ~ 1 + (1 | person) + (1 | time) + (1 | item) + (1 | person:time) + (1 | person:item) + (1 | time:item),
                  long, control = sharp))
  v <- as.data.frame(VarCorr(f))
  of <- setNames(v$vcov, sub(":", "_", v$grp))
  g <- quiet(lmer(y ~ 1 + (1 | person / time), long, control = sharp))
  w <- as.data.frame(VarCorr(g))
  list(person = of[["person"]], time = of[["time"]], item = of[["item"]], person_time = of[["person_time"]],
       person_item = of[["person_item"]], time_item = of[["time_item"]], residual = of[["Residual"]],
       nested_person = w$vcov[w$grp == "person"], nested_occasion = w$vcov[w$grp == "time:person"],
       nested_residual = w$vcov[w$grp == "Residual"])
}
write_json17(list(versions = versions_of("psych", "lavaan", "lme4"), consistency = answers, generalisability = list(
  psych = of_psych, reml = by_reml(d), reml_kept = by_reml(d[d$kept == 1, ]))), file.path(here, "reliability.json"))
