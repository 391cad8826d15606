* Simulated answers, written by GNU pspp 2: pspp alliance.sps (in this folder).
DATA LIST LIST /id (A4) session (F2.0) wai_1 (F2.0) the_twelfth_item_of_the_working_alliance (F2.0) bdi (F5.2) weight (F8.0) sex (A8) day (ADATE10) begun (DATETIME20).
BEGIN DATA
"p01" 1 3 99 20.50 -5 "f" 01/31/2020 "31-JAN-2020 10:11:12"
"p01" 2 98 4 21.25 70 "f" 02/15/2020 "15-FEB-2020 00:00:00"
"p02" 1 8 97 . 999 "unknown" 12/31/1899 .
"p02" 2 7 1 0.00 1000 "m" . "28-FEB-2021 23:59:59"
"p03" 1 99 2 63.00 0 "unknown" 02/29/2024 "01-MAR-2021 00:00:01"
"p03" 2 . 95 12.75 81 "m" 10/15/1582 "01-MAR-2021 12:00:00"
END DATA.
VARIABLE LABELS bdi 'Depression: Gesamtwert größer als 13'.
VALUE LABELS wai_1 the_twelfth_item_of_the_working_alliance 1 'never' 7 'always' 8 'keine Angabe' 98 'not applicable' 99 'refused'
 /sex 'f' 'female' 'm' 'male' 'unknown' 'not recorded'.
MISSING VALUES wai_1 (98, 99) the_twelfth_item_of_the_working_alliance (95 THRU HIGHEST, 1) weight (LOWEST THRU 0, 999) sex ('unknown').
SAVE OUTFILE='alliance.sav'.
SAVE OUTFILE='alliance.zsav' /ZCOMPRESSED.
