package android.app

import android.content.Context

class Activity : Context()
