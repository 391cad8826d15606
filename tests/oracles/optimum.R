# An optimiser for lmer that cares for the lowest criterion, not for time: BOBYQA, bounded quasi-Newton and Nelder-Mead
# from several starts, then Newton steps with numeric derivatives where the optimum is inside.
surely <- function(fn, par, lower, upper, control) {
  scale <- ifelse(par == 0, 1, par)
  starts <- list(par, 0.3 * par, 3 * par, par + 0.3 * scale * ifelse(lower < 0, -1, 1))
  best <- list(par = par, value = fn(par))
  consider <- function(p) {
    p <- pmax(p, lower)
    v <- fn(p)
    if (is.finite(v) && v < best$value) best <<- list(par = p, value = v)
  }
  polish <- function(p) {
    q <- tryCatch(minqa::bobyqa(p, fn, lower, upper, control = list(rhobeg = 0.2 * max(abs(p), 1e-3), rhoend = 1e-9 * max(abs(p), 1e-3), maxfun = 20000))$par,
                  error = function(e) p)
    consider(q)
    q <- tryCatch(nlminb(best$par, fn, lower = lower, upper = upper, control = list(rel.tol = 1e-15, x.tol = 1e-12, iter.max = 1000, eval.max = 5000))$par,
                  error = function(e) best$par)
    consider(q)
    q <- lme4::Nelder_Mead(fn, best$par, lower = lower, upper = upper,
                           control = list(maxfun = 5000, FtolAbs = 1e-12, FtolRel = 1e-16, XtolRel = 1e-10, warnOnly = TRUE))$par
    consider(q)
  }
  for (s in starts) polish(pmax(s, lower))
  polish(best$par)
  for (i in 1:5) {
    free <- best$par > lower + 1e-6 * max(abs(best$par)) | !is.finite(lower)
    if (!any(free)) break
    inner <- function(p) { q <- best$par; q[free] <- p; fn(q) }
    g <- numDeriv::grad(inner, best$par[free])
    H <- numDeriv::hessian(inner, best$par[free])
    step <- tryCatch(solve(H, g), error = function(e) 0 * g)
    p <- best$par; p[free] <- p[free] - step
    if (all(p >= lower)) {
      v <- fn(p)
      # equal to rounding is better here: the gradient is zero at p, the value cannot tell
      if (is.finite(v) && v <= best$value + 1e-11 * abs(best$value)) best <- list(par = p, value = v)
    }
  }
  list(par = best$par, fval = fn(best$par), feval = NA, convergence = 0, conv = 0, message = "surely")
}
