"""Is model B better than model A, or at least not worse, on the same cases?"""
