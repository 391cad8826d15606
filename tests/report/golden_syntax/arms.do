version 14
import delimited using "model_data.csv", clear varnames(1) case(preserve) asdouble
keep if !missing(g, y, t, arm)
assert _N == 139
generate double arm_IPT = (arm == 1)
generate double arm_waiting = (arm == 2)
mixed y t arm_IPT arm_waiting c.t#c.arm_IPT c.t#c.arm_waiting ///
    || g: t, covariance(unstructured) reml dfmethod(satterthwaite, oim) dftable(pvalue)
estat ic
