"""What is made of the scores: layers, subjects and regions, tests, hypotheses, selected units, unique variance."""
