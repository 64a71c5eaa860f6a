"""The fault matrix: every dependency, client and process fails through the real server, SDKs and stores."""
