version 14
import delimited using "model_data.csv", clear varnames(1) case(preserve) asdouble
keep if !missing(dyad, therapist, y, t, exper)
assert _N == 323
mixed y t exper c.t#c.exper ///
    || therapist: ///
    || dyad: t, covariance(independent) mle
estat ic
