"""What a class needs: assignments that grade themselves, a lesson as an app, the rooms of a new lesson."""
