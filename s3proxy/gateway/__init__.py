"""One exchange: authenticate, parse, authorise, dispatch, render."""
