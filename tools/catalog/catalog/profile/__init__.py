"""What a dataset's page shows of the data itself; the files of a dataset, streamed."""

from catalog.profile.data import Data, data_of_release, data_of_working_copy
from catalog.profile.whole import Profile, profile

__all__ = ["Data", "Profile", "data_of_release", "data_of_working_copy", "profile"]
