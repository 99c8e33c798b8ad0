"""Makes a package of the suite, so that its helpers have names of their own."""
