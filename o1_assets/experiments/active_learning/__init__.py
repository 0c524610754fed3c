"""How many labels does it save to choose what is labelled? (Lightman et al. 2023, section 4.2)."""
