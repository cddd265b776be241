"""What a site is: settings, data folder, layout, stores."""
