"""What a dataset's page shows of the data itself: histograms, pictures, sounds and first rows, read in a stream."""

from catalog.profile.data import Data, Profile, data_of_release, data_of_working_copy, profile
from catalog.profile.pictures import Picture
from catalog.profile.sounds import Sound

__all__ = ["Data", "Picture", "Profile", "Sound", "data_of_release", "data_of_working_copy", "profile"]
