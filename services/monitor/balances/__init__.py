"""What the residuals of a vessel mean together: the verdict on an alarm."""
