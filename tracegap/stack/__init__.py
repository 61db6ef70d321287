"""The shop with its servers, links and collector as processes of this machine: described, started, watched, stopped."""
