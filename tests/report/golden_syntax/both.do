version 14
import delimited using "model_data.csv", clear varnames(1) case(preserve) asdouble
keep if !missing(dyad, response, patient, therapist, session, kind, row)
assert _N == 614
generate double patient_session = patient * session
generate double therapist_session = therapist * session
egen long number = group(dyad row)
mixed response patient therapist c.patient#c.session c.therapist#c.session, noconstant ///
    || dyad: patient therapist patient_session therapist_session, covariance(unstructured) ///
    noconstant ///
    || number:, noconstant residuals(unstructured, t(kind)) reml dfmethod(satterthwaite, oim) ///
    dftable(pvalue)
estat ic
