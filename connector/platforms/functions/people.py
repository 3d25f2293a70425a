"""Names, birth dates and genders."""

from connector.identifiers import demographics, names
from connector.platforms.functions.registry import register_columnwise

register_columnwise(
    names.name_basic, names.name_nopunct, demographics.dob_yyyymmdd, demographics.gender_f_m
)
