# Simulated answers, written by R's haven: Rscript alliance.R (in this folder).
library(haven)
answers <- data.frame(
  id = c("p01", "p02", "p03", ""),
  wai_1 = labelled(c(1, tagged_na("a"), tagged_na("z"), NA), c(never = 1, refused = tagged_na("a"), "don't know" = tagged_na("z"))),
  bdi = c(20.5, tagged_na("a"), 12, 0),
  day = as.Date(c("2020-01-31", NA, "1950-05-05", "2024-02-29")),
  begun = as.POSIXct(c("2020-01-31 10:11:12", NA, "1999-12-31 23:59:59", "2024-02-29 00:00:00"), tz = "UTC"),
  note = c("gr\u00f6\u00dfer", "", "b", "c"), stringsAsFactors = FALSE)
attr(answers$bdi, "label") <- "Depression"
write_dta(answers, "alliance.dta")
