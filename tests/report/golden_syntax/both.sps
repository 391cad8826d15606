SET DECIMAL=DOT.
GET DATA
  /TYPE=TXT
  /FILE='model_data.csv'
  /ENCODING='UTF8'
  /DELCASE=LINE
  /DELIMITERS=","
  /ARRANGEMENT=DELIMITED
  /FIRSTCASE=2
  /VARIABLES=
    dyad F10.0
    response F32.16
    patient F32.16
    therapist F32.16
    session F32.16
    kind F10.0
    row F10.0.
SELECT IF (NMISS(dyad, response, patient, therapist, session, kind, row) = 0).
EXECUTE.
MIXED response WITH patient therapist session
  /CRITERIA=CIN(95) MXITER(1000) MXSTEP(10) SCORING(1) SINGULAR(0.000000000001)
    HCONVERGE(0, ABSOLUTE) LCONVERGE(0, ABSOLUTE) PCONVERGE(0.0000001, ABSOLUTE)
  /FIXED=patient therapist patient*session therapist*session | NOINT SSTYPE(3)
  /METHOD=REML
  /PRINT=SOLUTION TESTCOV
  /RANDOM=patient therapist patient*session therapist*session | SUBJECT(dyad) COVTYPE(UN)
  /REPEATED=kind | SUBJECT(dyad*row) COVTYPE(UNR).
