"""What a dataset's page shows of the data itself: histograms, pictures and first rows, read in a stream."""

from catalog.profile.data import Data, Profile, data_of_release, data_of_working_copy, profile

__all__ = ["Data", "Profile", "data_of_release", "data_of_working_copy", "profile"]
