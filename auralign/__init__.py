"""auralign: how well do audio networks predict the human auditory cortex?"""

__version__ = "0.1.0"
