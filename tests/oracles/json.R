# JSON with 17 significant digits (jsonlite stops at 15): lists with names are objects, without are arrays,
# NULL and NA are null; a vector of length 1 is a scalar.
to_json17 <- function(x) {
  quoted <- function(s) paste0('"', gsub('(["\\\\])', '\\\\\\1', s), '"')
  if (is.null(x)) return("null")
  if (is.list(x)) {
    inner <- vapply(x, to_json17, "")
    if (is.null(names(x))) return(paste0("[", paste(inner, collapse = ", "), "]"))
    return(paste0("{", paste0(quoted(names(x)), ": ", inner, collapse = ", "), "}"))
  }
  one <- if (is.character(x)) quoted(x) else if (is.logical(x)) tolower(as.character(x)) else
    if (is.integer(x)) as.character(x) else sprintf("%.17g", x)
  one[is.na(x)] <- "null"
  if (length(x) == 1) one else paste0("[", paste(one, collapse = ", "), "]")
}

write_json17 <- function(x, path) {
  text <- to_json17(x)
  # one fit per line: small enough to read, and a changed number is a changed line
  text <- gsub('{"data": ', '\n{"data": ', text, fixed = TRUE)
  writeLines(text, path)
}
