"""To own or to rent: cash flows of owning, renting and both, over a demand that varies."""
