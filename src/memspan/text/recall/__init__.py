"""From a question to cited evidence: arms, fusion, boosts, packing, confidence."""
