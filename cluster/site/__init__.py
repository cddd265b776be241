"""What a site is: settings, data folder, layout, stores.

Begin with settings.py and site.py. data_folder.py has the files of one machine,
shared_layout.py the layout that the nodes of a cluster share, stores.py opens journal
and snapshots, run_file.py records which process uses the folder.
"""
