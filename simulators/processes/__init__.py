"""What happens inside the vessels: kinetics are in shared.bioprocess, physics here.

Pure and vectorised: every quantity is an array with one entry per vessel.
"""
